/* SPDX-License-Identifier: Apache-2.0 */
/* tus_client.cjs URL AUTHORIZATION FILE: sends the file with tus-js-client, stops in the middle, goes on, and says so as
   JSON. Then a second upload is begun and terminated. */
const fs = require('fs')
const tus = require('tus-js-client')

const [endpoint, authorization, path] = process.argv.slice(2)
const data = fs.readFileSync(path)
const common = {
  endpoint, headers: { Authorization: authorization }, chunkSize: 300000, retryDelays: [0, 100, 300],
  metadata: { filename: 'file.bin' }
}

function run (options, stopAt) {
  return new Promise((resolve, reject) => {
    const upload = new tus.Upload(data, Object.assign({}, common, options, {
      onError: reject,
      onSuccess: () => resolve({ url: upload.url, sent: data.length }),
      onChunkComplete: (size, accepted) => {
        if (stopAt && accepted >= stopAt) upload.abort().then(() => resolve({ url: upload.url, sent: accepted }), reject)
      }
    }))
    upload.start()
  })
}

async function main () {
  const first = await run({}, 900000)
  const second = await run({ uploadUrl: first.url })
  const away = await run({}, 300000)
  await tus.Upload.terminate(away.url, { headers: common.headers })
  const gone = await fetch(away.url, { method: 'HEAD', headers: { ...common.headers, 'Tus-Resumable': '1.0.0' } })
  console.log(JSON.stringify({
    url: new URL(second.url).pathname, before: first.sent, resumed: second.url === first.url, gone: gone.status === 404
  }))
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
