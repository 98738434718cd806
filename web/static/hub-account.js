/* SPDX-License-Identifier: Apache-2.0 */
/* Small things of forms: a button that shows a password, copying and printing recovery codes, choosing a colour by eye.
 * Without this script the fields and the codes are there all the same. */
(function () {
  'use strict'
  for (const field of document.querySelectorAll('input[data-show]')) {
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'show-password'
    button.setAttribute('aria-controls', field.id)
    const label = document.querySelector('label[for="' + field.id + '"]')
    const set = (shown) => {
      field.type = shown ? 'text' : 'password'
      button.textContent = shown ? 'Hide' : 'Show'
      button.setAttribute('aria-label', (shown ? 'Hide: ' : 'Show: ') + (label ? label.textContent : 'password'))
    }
    button.addEventListener('click', () => set(field.type === 'password'))
    field.form.addEventListener('submit', () => set(false)) /* so that managers see a password */
    set(false)
    field.after(button)
  }
  for (const button of document.querySelectorAll('button[data-copy]')) {
    const what = document.querySelector(button.dataset.copy)
    button.hidden = !navigator.clipboard /* over plain http there is none */
    button.setAttribute('aria-live', 'polite')
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText((what.value || what.textContent).trim())
      button.textContent = 'Copied'
    })
  }
  for (const picker of document.querySelectorAll('input[data-colour-of]')) {
    const field = document.getElementById(picker.dataset.colourOf)
    const follow = () => {
      picker.value = field.checkValidity() && field.value ? field.value.toLowerCase() : picker.defaultValue
    }
    picker.addEventListener('input', () => { field.value = picker.value })
    field.addEventListener('input', follow)
    follow()
  }
  for (const button of document.querySelectorAll('button[data-print]')) {
    button.addEventListener('click', () => window.print())
  }
})()
