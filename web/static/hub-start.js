/* SPDX-License-Identifier: Apache-2.0 */
/* A file dropped on the page goes up at once; one that was chosen, with the button. How far it is, is shown. Without
 * this script the form does the same without saying how far. */
(function () {
  'use strict'
  const keep = document.querySelector('form[data-start-keep]')
  if (keep) {
    keep.addEventListener('submit', () => {
      keep.querySelector('[data-start-text]').textContent = 'Reading the file, making the space…'
      keep.querySelector('button').setAttribute('aria-busy', 'true')
    })
  }
  const form = document.querySelector('form[data-start]')
  if (!form) return
  const input = form.querySelector('input[type=file]')
  const box = form.querySelector('[data-start-progress]')
  const said = form.querySelector('[data-start-text]')
  const bar = form.querySelector('progress')
  const wrong = form.querySelector('[data-start-error]')
  const most = Number(form.dataset.most)
  const megabytes = (n) => (n / 1e6).toFixed(1) + ' MB'
  form.querySelector('[data-start-drop]').hidden = false

  function fail (...lines) {
    box.hidden = true
    wrong.replaceChildren(...lines.filter(Boolean).map((line) => {
      const p = document.createElement('p')
      p.textContent = line
      return p
    }))
    wrong.hidden = false
  }

  function send (file) {
    wrong.hidden = true
    if (file.size > most) {
      fail('The file is larger than ' + megabytes(most) + '.',
        'Sign up first and make a space: there it can be larger.')
      return
    }
    const body = new FormData()
    const request = new XMLHttpRequest()
    body.append('file', file)
    request.open('POST', form.action)
    request.responseType = 'document'
    request.upload.onprogress = (event) => {
      bar.value = event.total ? event.loaded / event.total * 100 : 0
      said.textContent = megabytes(event.loaded) + ' of ' + megabytes(event.total)
    }
    request.onload = () => {
      if (request.status < 400) {
        location.assign(request.responseURL)
        return
      }
      const told = request.response && request.response.querySelectorAll('.error-box p')
      const lines = told ? [...told].map((p) => p.textContent) : []
      fail(...(lines.length ? lines : ['The file was not taken (' + request.status + ').', 'Try again in a moment.']))
    }
    request.onerror = () => fail('The connection broke.', 'Try again: nothing was kept.')
    request.onabort = () => fail('Stopped: nothing was kept.')
    box.querySelector('[data-start-stop]').onclick = () => request.abort()
    box.hidden = false
    request.send(body)
  }

  form.addEventListener('submit', (event) => {
    if (!input.files[0]) return
    event.preventDefault()
    send(input.files[0])
  })
  const carries = (event) => event.dataTransfer && [...event.dataTransfer.types].includes('Files')
  let depth = 0
  const mark = (on) => form.classList.toggle('start-over', on)
  document.addEventListener('dragenter', (event) => { if (carries(event)) mark(++depth > 0) })
  document.addEventListener('dragleave', (event) => { if (carries(event)) mark(--depth > 0) })
  document.addEventListener('dragover', (event) => { if (carries(event)) event.preventDefault() })
  document.addEventListener('drop', (event) => {
    if (!carries(event)) return
    event.preventDefault()
    depth = 0
    mark(false)
    if (!event.dataTransfer.files[0]) return
    input.files = event.dataTransfer.files
    send(event.dataTransfer.files[0])
  })
})()
