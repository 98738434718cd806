/* SPDX-License-Identifier: Apache-2.0 */
/* Fields for the :named parameters of the SQL being written. Asks form[data-parameters-url] while typing; values that
   were typed stay. The editor tells of changes with "input" events on its text area. */
(function () {
  'use strict';
  var DELAY_MS = 300;

  function row(section, name, value, n) {
    var prefix = section.dataset.parameterNamePrefix || '',
      p = document.createElement('p');
    var label = document.createElement('label'),
      input = document.createElement('input');
    p.className = 'sql-parameter-row';
    label.htmlFor = input.id = 'qp' + n;
    label.textContent = name;
    input.type = 'text';
    input.name = prefix + name;
    input.value = value || '';
    input.dataset.parameterName = name;
    input.setAttribute('data-parameter-control', '');
    p.append(label, ' ', input);
    return p;
  }

  function show(section, names) {
    var values = {},
      controls = Array.from(section.querySelectorAll('[data-parameter-control]'));
    controls.forEach(function (c) {
      values[c.dataset.parameterName] = c.value;
    });
    if (
      controls
        .map(function (c) {
          return c.dataset.parameterName;
        })
        .join('\n') === names.join('\n')
    )
      return;
    section.textContent = '';
    if (!names.length) return;
    section.appendChild(document.createElement('h2')).textContent = 'Parameters';
    names.forEach(function (name, i) {
      section.appendChild(row(section, name, values[name], i + 1));
    });
  }

  function setup(form) {
    var sql = form.querySelector('textarea[name="sql"]'),
      section = form.querySelector('[data-sql-parameters-section]');
    var timer,
      asked = 0;
    if (!sql || !section || form.dataset.parametersReady) return;
    form.dataset.parametersReady = '1';
    sql.addEventListener('input', function () {
      clearTimeout(timer);
      timer = setTimeout(function () {
        var mine = ++asked;
        fetch(form.dataset.parametersUrl + '?' + new URLSearchParams({ sql: sql.value }))
          .then(function (response) {
            return response.json();
          })
          .then(function (data) {
            if (data.ok && mine === asked) show(section, data.parameters);
          })
          .catch(function () {
            /* the fields stay as they are */
          });
      }, DELAY_MS);
    });
  }

  function setupAll() {
    document.querySelectorAll('form[data-parameters-url]').forEach(setup);
  }

  window.datasetteSqlParameters = { setupSqlParameterRefresh: setupAll };
  document.addEventListener('DOMContentLoaded', setupAll);
})();
