/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of one row: what is typed is no null any more; keys of other tables are found by their labels. Without scripts
   the fields take keys as they are, and the boxes are ticked by hand. */
(function () {
  'use strict';
  document.querySelectorAll('.row-field').forEach(function (row) {
    var control = row.querySelector('input[type="text"], input[type="email"], input[type="url"], textarea'),
      none = row.querySelector('.row-null input');
    if (!control) return;
    if (none)
      control.addEventListener('input', function () {
        none.checked = false;
      });
    if (control.dataset.keys) suggest(control);
  });

  function suggest(control) {
    var list = document.createElement('datalist'),
      asked = 0,
      timer;
    list.id = control.id + '-keys';
    control.after(list);
    control.setAttribute('list', list.id);
    control.setAttribute('autocomplete', 'off');

    function ask(q) {
      var mine = ++asked;
      fetch(control.dataset.keys + '?' + new URLSearchParams(q ? { q: q } : { _initial: '1' }))
        .then(function (answer) {
          return answer.ok ? answer.json() : { rows: [] };
        })
        .then(function (found) {
          if (mine !== asked) return;
          list.replaceChildren.apply(
            list,
            found.rows.map(function (row) {
              var option = document.createElement('option');
              option.value = Object.values(row.pks)[0];
              option.label = row.label && String(row.label) !== option.value ? option.value + ': ' + row.label : '';
              return option;
            }),
          );
        })
        .catch(function () {
          /* the field is an ordinary one then */
        });
    }
    control.addEventListener('focus', function () {
      ask(''); /* what else there is */
    });
    control.addEventListener('input', function () {
      clearTimeout(timer);
      timer = setTimeout(function () {
        ask(control.value);
      }, 120);
    });
  }
})();
