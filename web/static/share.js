/* SPDX-License-Identifier: Apache-2.0 */
/* Sharing: the page /-/share as a dialog over the page that is shared, and buttons that copy. Without scripts the link
   leads to the page, and fields can be selected. */
(function () {
  'use strict';
  var dialog;

  /* What a button says is read out only while it has the focus: this is read out anyway. */
  function status() {
    var line = document.querySelector('[data-share-said]');
    if (line && (!dialog || !dialog.open || dialog.contains(line))) return line;
    line = document.createElement('p');
    line.className = 'visually-hidden';
    line.dataset.shareSaid = '';
    line.setAttribute('role', 'status');
    (dialog && dialog.open ? dialog : document.body).append(line);
    return line;
  }

  function copy(button) {
    var field = document.getElementById(button.dataset.shareCopy),
      before = button.textContent;
    function say(text) {
      button.textContent = text;
      status().textContent = text;
      setTimeout(function () {
        button.textContent = before;
      }, 2000);
    }
    field.select();
    if (navigator.clipboard)
      navigator.clipboard.writeText(field.value).then(
        function () {
          say('Copied');
        },
        function () {
          say('Press Ctrl+C');
        },
      );
    else say(document.execCommand('copy') ? 'Copied' : 'Press Ctrl+C');
  }

  document.addEventListener('click', function (event) {
    var button = event.target.closest('[data-share-copy]');
    if (button) copy(button);
  });

  /* Phones know whom to send things to, and how. */
  function offerSending(part) {
    if (!navigator.share) return;
    part.querySelectorAll('.share-copy input').forEach(function (field) {
      var button = document.createElement('button');
      button.type = 'button';
      button.textContent = 'Send…';
      button.addEventListener('click', function () {
        navigator.share({ title: document.title, url: field.value }).catch(function () {
          /* they thought better of it */
        });
      });
      field.parentNode.append(button);
    });
  }

  /* What a chart or another plugin keeps behind # is part of what is shared. */
  function withFragment(part) {
    part.querySelectorAll('[data-share-page]').forEach(function (field) {
      if (location.hash.length > 1 && field.value.indexOf('#') < 0) field.value += location.hash;
    });
  }

  function show(text, url, isNew) {
    var page = new DOMParser().parseFromString(text, 'text/html'),
      part = page.querySelector('[data-share-dialog]'),
      messages = page.querySelectorAll('.not-footer > [class^="message-"]'),
      body = dialog.querySelector('.dialog-body'),
      heading,
      made;
    if (!part) {
      location.href = url; /* signed out, or an error page */
      return;
    }
    heading = part.querySelector('h1');
    heading.id = 'share-title';
    body.replaceChildren.apply(body, Array.from(messages).concat([part]));
    withFragment(part);
    offerSending(part);
    if (!dialog.open) dialog.showModal();
    if (isNew && body.querySelector('.message-info'))
      made = part.querySelector('.share-item:first-child input[readonly]');
    heading.tabIndex = -1;
    (made || heading).focus();
    if (made) made.select();
  }

  function load(url, options, isNew) {
    return fetch(url, options).then(function (answer) {
      return answer.text().then(function (text) {
        show(text, answer.url, isNew);
      });
    });
  }

  function make() {
    dialog = document.createElement('dialog');
    dialog.className = 'share-box';
    dialog.setAttribute('aria-labelledby', 'share-title');
    dialog.innerHTML =
      '<div class="share-close"><button type="button" data-share-close>Close</button></div>' +
      '<div class="dialog-body"></div>';
    document.body.append(dialog);
    dialog.addEventListener('click', function (event) {
      if (event.target === dialog || event.target.closest('[data-share-close]')) dialog.close();
    });
    dialog.addEventListener('submit', function (event) {
      var form = event.target,
        fields = new URLSearchParams(new FormData(form, event.submitter));
      event.preventDefault();
      load(
        form.getAttribute('action'),
        { method: 'POST', body: fields },
        form.classList.contains('share-new'),
      ).catch(function () {
        form.submit();
      });
    });
  }

  document.addEventListener('click', function (event) {
    var link = event.target.closest('[data-share-open]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !window.HTMLDialogElement) return;
    event.preventDefault();
    if (!dialog) make();
    load(link.href).catch(function () {
      location.href = link.href;
    });
  });

  offerSending(document);
})();
