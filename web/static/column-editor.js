/* SPDX-License-Identifier: Apache-2.0 */
/* Forms that make and change tables: one more row at once, where without scripts the page is asked for it. */
(function () {
  'use strict';
  var table = document.querySelector('[data-column-editor]'),
    add = document.querySelector('[data-add-column]');
  if (!table || !add) return;

  function renumber(text, n) {
    return text && text.replace(/\.\d+$/, '.' + n);
  }

  add.textContent = 'Add a column';
  add.type = 'button';
  add.addEventListener('click', function () {
    var body = table.tBodies[0],
      rows = body.rows,
      n = rows.length,
      row = rows[n - 1].cloneNode(true);
    row.className = 'new-column';
    row.querySelectorAll('input, select').forEach(function (field) {
      var label = field.getAttribute('aria-label') || '';
      if (/^(was|place|drop)\./.test(field.name)) {
        (field.closest('label') || field).remove();
        return;
      }
      field.name = renumber(field.name, n);
      field.setAttribute('aria-label', label.replace(/new column \d+/, 'new column ' + (n + 1)));
      if (field.type === 'checkbox') field.checked = false;
      else if (field.tagName === 'SELECT') field.selectedIndex = 0;
      else field.value = '';
    });
    body.appendChild(row);
    row.querySelector('input').focus();
  });
})();
