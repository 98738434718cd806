/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads from the browser: files dropped on a page, chosen in a form or pasted as cells go up in pieces by tus 1.0,
 * and on after a broken connection; then the page of the import says how far it is. Without it the forms work. */
(function () {
  'use strict'
  const PIECE = 8 << 20
  const TRIES = 6
  const script = document.currentScript
  const form = document.querySelector('form.upload-form')
  const page = form ? null : script && script.dataset.uploadPage
  const headers = (more) => Object.assign({ 'Tus-Resumable': '1.0.0' }, more)
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
  const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)))
  const bytes = (n) => n < 1e6 ? Math.ceil(n / 1e3) + ' KB' : (n / 1e6).toFixed(1) + ' MB'

  /* Repeats what a network may have broken; a refusal is final. */
  async function ask (url, options, signal) {
    for (let tries = 1; ; tries++) {
      let answer
      try {
        answer = await fetch(url, Object.assign({ signal, credentials: 'same-origin' }, options))
        if (answer.ok || (answer.status < 500 && answer.status !== 423 && answer.status !== 429)) return answer
      } catch (error) {
        if (signal.aborted || tries === TRIES) throw error
      }
      if (tries === TRIES) return answer
      if (options.method === 'PATCH') return null
      await wait(500 * 2 ** tries)
    }
  }

  const refused = async (answer) =>
    new Error((answer && (await answer.text()).trim()) || 'The server cannot be reached')

  async function offsetOf (url, signal) {
    const answer = await ask(url, { method: 'HEAD', headers: headers() }, signal)
    if (!answer || !answer.ok) throw new Error('The upload is not there any more: begin again')
    return Number(answer.headers.get('Upload-Offset'))
  }

  /* What was begun and not finished is remembered by the file, so that the same one, given again, goes on. */
  const mark = (file) => 'upload ' + [file.name, file.size, file.lastModified].join(' ')
  function remembered (file, url) {
    try {
      if (url === undefined) return localStorage.getItem(mark(file))
      if (url) localStorage.setItem(mark(file), url)
      else localStorage.removeItem(mark(file))
    } catch (error) { /* a private window: it begins anew */ }
    return null
  }

  async function begin (base, file, signal) {
    const before = remembered(file)
    if (before) {
      const there = await ask(before, { method: 'HEAD', headers: headers() }, signal)
      if (there && there.ok) return before
      remembered(file, null)
    }
    const answer = await ask(base, {
      method: 'POST',
      headers: headers({ 'Upload-Length': String(file.size), 'Upload-Metadata': 'filename ' + base64(file.name) })
    }, signal)
    if (!answer || answer.status !== 201) throw await refused(answer)
    remembered(file, answer.headers.get('Location'))
    return answer.headers.get('Location')
  }

  async function send (url, file, show, signal) {
    let offset = await offsetOf(url, signal)
    let broken = 0
    while (offset < file.size) {
      show(offset)
      let answer = null
      try {
        answer = await ask(url, {
          method: 'PATCH',
          headers: headers({ 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset) }),
          body: file.slice(offset, offset + PIECE)
        }, signal)
      } catch (error) {
        if (signal.aborted) throw error
      }
      if (answer && answer.status === 204) {
        offset = Number(answer.headers.get('Upload-Offset'))
        broken = 0
        continue
      }
      if (answer && answer.status !== 409) throw await refused(answer)
      if (++broken === TRIES) throw new Error('The connection breaks again and again; what was sent is kept')
      await wait(500 * 2 ** broken)
      offset = await offsetOf(url, signal)
    }
    show(offset)
    remembered(file, null)
    return url
  }

  /* ---- pages with a form ---- */

  function watch (root, file, base, resume, after) {
    const box = root.querySelector('[data-upload-progress]')
    const text = box.querySelector('[data-upload-text]')
    const bar = box.querySelector('progress')
    const abort = new AbortController()
    const started = Date.now()
    box.hidden = false
    box.querySelector('[data-upload-stop]').onclick = () => abort.abort()
    const show = (offset) => {
      const seconds = (Date.now() - started) / 1000
      bar.value = file.size ? offset / file.size * 100 : 100
      text.textContent = bytes(offset) + ' of ' + bytes(file.size) +
        (seconds > 3 && offset ? ', ' + Math.ceil(seconds / offset * (file.size - offset)) + ' s left' : '')
    }
    return (resume ? Promise.resolve(resume) : begin(base, file, abort.signal))
      .then((url) => send(url, file, show, abort.signal)).then(after)
      .catch((error) => { text.textContent = abort.signal.aborted ? 'Stopped' : error.message })
  }

  const importOf = (url, query) => url.replace(/\/-\/upload\//, '/-/import/') + query

  if (form) {
    const input = form.querySelector('input[type=file]')
    const cells = form.querySelector('textarea')
    const note = form.querySelector('[data-drop-note]')
    const query = () => {
      const given = new URLSearchParams()
      for (const field of form.querySelectorAll('input[type=hidden]')) given.set(field.name, field.value)
      return String(given) && '?' + given
    }
    const take = (file) => {
      if (form.dataset.size && Number(form.dataset.size) !== file.size) {
        form.querySelector('[data-upload-progress]').hidden = false
        form.querySelector('[data-upload-text]').textContent = 'This is another file: its size is not the same'
        return
      }
      watch(form, file, form.dataset.upload, form.dataset.resume, (url) => location.assign(importOf(url, query())))
    }
    if (note) note.hidden = false
    form.addEventListener('submit', (event) => {
      const pasted = cells && cells.value.trim()
      const file = input.files[0] || (pasted && new File([cells.value], 'pasted.tsv'))
      if (!file) return
      event.preventDefault()
      take(file)
    })
    if (form.dataset.resume) input.addEventListener('change', () => input.files[0] && take(input.files[0]))
    dropping((file) => take(file))
  } else if (page) {
    dropping((file) => {
      const box = document.createElement('div')
      const address = new URL(page, location.href)
      box.className = 'upload-progress upload-dropped'
      box.setAttribute('data-upload-progress', '')
      box.innerHTML = '<label for="upload-bar"></label> <progress id="upload-bar" max="100" value="0"></progress> ' +
        '<span data-upload-text role="status"></span> <button type="button" data-upload-stop>Stop</button>'
      box.firstChild.textContent = 'Uploading ' + file.name
      document.getElementById('content').prepend(box)
      watch(document, file, address.pathname, null, (url) => location.assign(importOf(url, address.search)))
    })
    /* Cells of a spreadsheet, pasted where nothing is typed. */
    document.addEventListener('paste', (event) => {
      const at = event.target.closest && event.target.closest('input, textarea, select, [contenteditable], .cm-editor')
      const text = event.clipboardData && event.clipboardData.getData('text/plain')
      if (at || !text || !/\t/.test(text) || !/\n/.test(text.trim())) return
      event.preventDefault()
      const transfer = new DataTransfer()
      transfer.items.add(new File([text], 'pasted.tsv'))
      drop(transfer.files[0])
    })
  }

  let drop = null
  function dropping (take) {
    const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes('Files')
    let depth = 0
    const mark = (on) => document.body.classList.toggle('drop-here', on)
    setTimeout(() => { drop = take })
    document.addEventListener('dragenter', (event) => { if (carriesFiles(event)) mark(++depth > 0) })
    document.addEventListener('dragleave', (event) => { if (carriesFiles(event)) mark(--depth > 0) })
    document.addEventListener('dragover', (event) => { if (carriesFiles(event)) event.preventDefault() })
    document.addEventListener('drop', (event) => {
      if (!carriesFiles(event)) return
      event.preventDefault()
      depth = 0
      mark(false)
      if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0])
    })
  }

  /* ---- an import that runs: its events, or where they do not come through, the page asked again and again ---- */

  const running = document.querySelector('[data-import]')
  const number = (n) => n.toLocaleString('en')
  const began = Date.now()
  let first = null
  let phase = null

  function left (percent) {
    if (!first && percent > 0) first = { percent, at: Date.now() }
    const seconds = (Date.now() - began) / 1000
    if (!first || seconds < 2 || percent <= first.percent) return ''
    const rest = (Date.now() - first.at) / 1000 / (percent - first.percent) * (100 - percent)
    if (rest < 1) return ''
    return ', about ' + (rest < 90 ? Math.ceil(rest) + ' s' : Math.ceil(rest / 60) + ' min') + ' left'
  }

  function show (now) {
    const words = { waiting: 'Waiting for its turn', reading: 'Reading the file', writing: 'Writing rows' }
    if (now.phase === 'waiting') return /* nothing to tell; or another process is asked, which does not know */
    running.querySelector('progress').value = now.percent
    running.querySelector('[data-import-text]').textContent = number(now.rows) + ' rows, ' + bytes(now.position) +
      (now.size ? ' of ' + bytes(now.size) : '') + left(now.percent)
    if (now.phase !== phase) running.querySelector('[data-import-phase]').textContent = words[now.phase] || now.phase
    phase = now.phase
  }

  async function poll () {
    for (let broken = 0; broken < 30;) {
      await wait(400)
      try {
        const answer = await fetch(running.dataset.import + '.json', { credentials: 'same-origin' })
        if (answer.status === 404) return location.reload()
        const now = await answer.json()
        if (now.state !== 'running') return location.reload()
        show(now.progress)
        broken = 0
      } catch (error) {
        broken++
      }
    }
  }

  function listen () {
    const events = new EventSource(running.dataset.import + '/events')
    events.onmessage = (event) => show(JSON.parse(event.data))
    events.addEventListener('end', () => { events.close(); location.reload() })
    events.onerror = () => { if (events.readyState === EventSource.CLOSED) poll() } /* else it comes back by itself */
  }
  if (running && window.EventSource && !running.hasAttribute('data-import-poll')) listen()
  else if (running) poll()
})()
