/* SPDX-License-Identifier: Apache-2.0 */
/* Buttons that copy the text of a field: <button data-copy="ID" hidden>. Without scripts the field can be selected. */
(function () {
  'use strict';
  document.querySelectorAll('button[data-copy]').forEach(function (button) {
    var field = document.getElementById(button.dataset.copy),
      status = document.querySelector('[data-copied]');
    button.hidden = false;
    button.addEventListener('click', function () {
      function say(text) {
        status.textContent = text;
      }
      field.select();
      if (navigator.clipboard) {
        navigator.clipboard.writeText(field.value).then(
          function () {
            say('Copied.');
          },
          function () {
            say('The browser did not allow it: press Ctrl+C.');
          },
        );
      } else {
        say(document.execCommand('copy') ? 'Copied.' : 'Press Ctrl+C.');
      }
    });
  });
})();
