/* SPDX-License-Identifier: Apache-2.0 */
/* Passkeys: forms with data-passkey="create" or "get" carry what to ask the browser for in data-options (JSON; bytes as
 * base64url) and send its answer in hidden fields, as any form does. Without this script, or in a browser without
 * passkeys, those forms stay hidden and the others of the page work. */
(function () {
  'use strict'
  const forms = document.querySelectorAll('form[data-passkey]')
  if (!forms.length || !window.PublicKeyCredential || !navigator.credentials) return

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0))
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')

  function optionsOf (form) {
    const options = JSON.parse(form.dataset.options)
    options.challenge = bytes(options.challenge)
    if (options.user) options.user.id = bytes(options.user.id)
    for (const name of ['excludeCredentials', 'allowCredentials']) {
      if (options[name]) options[name] = options[name].map((c) => Object.assign({}, c, { id: bytes(c.id) }))
    }
    return options
  }

  /* Why it did not work, for people; the browser has shown its own window before. */
  const reasons = {
    InvalidStateError: 'This device has a passkey of this account already.',
    NotAllowedError: 'Nothing was done: it was cancelled, or took too long.',
    NotSupportedError: 'This device cannot make the kind of passkey that is needed.',
    SecurityError: 'Passkeys do not work at this address. Use the usual name of this site, over https.'
  }
  function say (form, error) {
    const where = form.querySelector('[role=alert]')
    where.textContent = (error && reasons[error.name]) || (error ? 'It did not work: ' + error.message : '')
    where.hidden = !error
  }

  function send (form, credential) {
    const fields = {
      id: credential.rawId,
      client_data: credential.response.clientDataJSON,
      attestation: credential.response.attestationObject,
      authenticator_data: credential.response.authenticatorData,
      signature: credential.response.signature
    }
    for (const [name, value] of Object.entries(fields)) {
      if (value && form.elements[name]) form.elements[name].value = text(value)
    }
    form.submit()
  }

  let waiting = null /* what the name field offers; ended before anything else is asked */

  async function ask (form) {
    say(form, null)
    if (waiting) waiting.abort()
    try {
      const publicKey = optionsOf(form)
      send(form, form.dataset.passkey === 'create'
        ? await navigator.credentials.create({ publicKey })
        : await navigator.credentials.get({ publicKey }))
    } catch (error) {
      say(form, error)
    }
  }

  /* The browser offers passkeys where the name is typed (autocomplete="username webauthn"). */
  async function offer (form) {
    const available = PublicKeyCredential.isConditionalMediationAvailable
    if (!available || !(await available.call(PublicKeyCredential))) return
    waiting = new AbortController()
    try {
      send(form, await navigator.credentials.get(
        { publicKey: optionsOf(form), mediation: 'conditional', signal: waiting.signal }))
    } catch (error) {
      if (error.name !== 'AbortError') say(form, error)
    }
  }

  for (const note of document.querySelectorAll('[data-without-passkeys]')) note.hidden = true
  for (const form of forms) {
    form.hidden = false
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      ask(form)
    })
    if ('offer' in form.dataset) offer(form)
  }
})()
