/* SPDX-License-Identifier: Apache-2.0 */
/* Pages with rows: menu of each column, long cells folded, more filter rows, "count all" in place, choice of columns.
   Everything here only saves clicks: without scripts the links and forms of the page lead to the same addresses. */
(function () {
  'use strict';
  var FOLD_FROM = 200; /* characters */

  function make(name, attributes, text) {
    var node = document.createElement(name);
    Object.keys(attributes || {}).forEach(function (key) {
      node.setAttribute(key, attributes[key]);
    });
    if (text !== undefined) node.textContent = text;
    return node;
  }

  /* This page with other arguments; the page begins anew, so _next goes. change: function (URLSearchParams). */
  function address(change) {
    var url = new URL(location.href);
    url.searchParams.delete('_next');
    change(url.searchParams);
    url.hash = '';
    return url.href;
  }

  /* ---- column menu */
  var menu, menuButton;

  function closeMenu(focus) {
    if (!menu) return;
    menu.remove();
    menu = null;
    menuButton.setAttribute('aria-expanded', 'false');
    if (focus) menuButton.focus();
  }

  function sortBy(key, other, column) {
    return address(function (q) {
      q.delete(other);
      q.set(key, column);
    });
  }

  function isFaceted(q, column) {
    return (
      q.getAll('_facet').indexOf(column) >= 0 ||
      !!document.querySelector('.facet-info[data-column="' + CSS.escape(column) + '"]')
    );
  }

  function hasBlank(th) {
    var column = th.dataset.column;
    return Array.from(
      document.querySelectorAll('.rows-and-columns td[data-label="' + CSS.escape(column) + '"]'),
    ).some(function (td) {
      return !td.textContent.trim();
    });
  }

  function columnMeta(th) {
    return {
      columnName: th.dataset.column,
      columnNotNull: th.dataset.columnNotNull === '1',
      columnType: th.dataset.columnType,
      isPk: th.dataset.isPk === '1',
    };
  }

  function actionsOf(th) {
    var column = th.dataset.column,
      q = new URLSearchParams(location.search),
      items = [];
    var sortable = !!th.querySelector('a'),
      sort = th.getAttribute('aria-sort'),
      isPk = th.dataset.isPk === '1';
    if (sortable && sort !== 'ascending')
      items.push({ label: 'Sort ascending', href: sortBy('_sort', '_sort_desc', column) });
    if (sortable && sort !== 'descending')
      items.push({ label: 'Sort descending', href: sortBy('_sort_desc', '_sort', column) });
    if (window.DATASETTE_ALLOW_FACET && !isPk && !isFaceted(q, column))
      items.push({
        label: 'Facet by this',
        href:
          address(function (p) {
            p.append('_facet', column);
          }) +
          '#facet-' +
          CSS.escape(column),
      });
    if (window._columnChooserData) {
      items.push({ label: 'Choose columns…', onClick: openChooser });
      if (!isPk)
        items.push({
          label: 'Hide this column',
          href: address(function (p) {
            hide(p, column);
          }),
        });
      if (q.has('_nocol') || q.has('_col'))
        items.push({
          label: 'Show all columns',
          href: address(function (p) {
            p.delete('_nocol');
            p.delete('_col');
          }),
        });
    }
    if (hasBlank(th) && th.dataset.columnNotNull !== '1' && !q.has(column + '__notblank'))
      items.push({
        label: 'Show not-blank rows',
        href: address(function (p) {
          p.set(column + '__notblank', '1');
        }),
      });
    var manager = window.__DATASETTE__;
    if (manager) {
      items = items.concat(
        manager.makeColumnActions(columnMeta(th)),
      );
    }
    return items;
  }

  function hide(q, column) {
    var shown = q.getAll('_col');
    if (shown.indexOf(column) < 0) {
      q.append('_nocol', column);
      return;
    }
    q.delete('_col');
    shown.forEach(function (name) {
      if (name !== column) q.append('_col', name);
    });
  }

  /* Puts the actions of the column and a note about it into parent, as a menu or as a plain list; close is called
     before an action runs. */
  function fillActions(parent, th, asMenu, close) {
    var ul = parent.appendChild(make('ul', asMenu ? { role: 'menu', 'aria-label': th.dataset.column } : {}));
    actionsOf(th).forEach(function (action) {
      var li = make('li', asMenu ? { role: 'none' } : {}),
        item = action.href
          ? make('a', { href: action.href, rel: 'nofollow' }, action.label)
          : make('button', { type: 'button' }, action.label);
      if (asMenu) item.setAttribute('role', 'menuitem');
      if (action.onClick || action.onclick)
        item.addEventListener('click', function (event) {
          close();
          (action.onClick || action.onclick)(event);
        });
      li.appendChild(item);
      ul.appendChild(li);
    });
    var about = [
      th.dataset.columnType,
      th.dataset.isPk === '1' ? 'primary key' : '',
      th.dataset.columnNotNull === '1' ? 'not null' : '',
    ];
    about = about.filter(Boolean).join(', ');
    if (about || th.dataset.columnDescription)
      parent.appendChild(
        make('p', { class: 'dropdown-note' }, [about, th.dataset.columnDescription].filter(Boolean).join(': ')),
      );
  }

  function openMenu(th, button) {
    closeMenu();
    menuButton = button;
    menu = make('div', { class: 'dropdown-menu column-menu' });
    fillActions(menu, th, true, closeMenu);
    document.body.appendChild(menu);
    var box = button.getBoundingClientRect();
    menu.style.top = box.bottom + window.scrollY + 4 + 'px';
    menu.style.left =
      Math.max(8, Math.min(box.left + window.scrollX, window.scrollX + root.clientWidth - menu.offsetWidth - 8)) +
      'px';
    button.setAttribute('aria-expanded', 'true');
    var first = menu.querySelector('[role="menuitem"]');
    if (first) first.focus();
  }
  var root = document.documentElement;

  function menuKeys(event) {
    if (!menu) return;
    var items = Array.from(menu.querySelectorAll('[role="menuitem"]')),
      at = items.indexOf(document.activeElement);
    if (event.key === 'Escape') {
      closeMenu(true);
    } else if (event.key === 'Tab') {
      closeMenu(true);
    } else if (items.length && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault();
      items[(at + (event.key === 'ArrowDown' ? 1 : -1) + items.length) % items.length].focus();
    }
  }

  function addColumnMenus() {
    document.querySelectorAll('.table .rows-and-columns th[data-column]').forEach(function (th) {
      if (th.dataset.isLinkColumn) return;
      var button = make(
        'button',
        {
          type: 'button',
          class: 'column-menu-open', // its sign is in the style sheet: plugins read the text of headers
          'aria-haspopup': 'menu',
          'aria-expanded': 'false',
          'aria-label': 'Actions for column ' + th.dataset.column,
        },
        '',
      );
      button.addEventListener('click', function (event) {
        event.stopPropagation();
        if (menu && menuButton === button) closeMenu();
        else openMenu(th, button);
      });
      if (actionsOf(th).length || window.__DATASETTE__) th.append(button);
    });
    document.addEventListener('keydown', menuKeys);
    document.addEventListener('click', function (event) {
      if (menu && !menu.contains(event.target)) closeMenu();
    });
    document.querySelectorAll('.table-wrapper').forEach(function (w) {
      w.addEventListener('scroll', function () {
        closeMenu();
      });
    });
  }

  /* ---- columns of a narrow page: rows are cards there and have no headers; one button lists what headers can do */
  function columnHeads() {
    return Array.from(document.querySelectorAll('.table .rows-and-columns th[data-column]')).filter(function (th) {
      return !th.dataset.isLinkColumn;
    });
  }

  function addColumnList() {
    var wrapper = document.querySelector('.table .table-wrapper');
    if (!wrapper || !columnHeads().length) return;
    var button = make('button', { type: 'button', class: 'columns-open', 'aria-haspopup': 'dialog' }, 'Columns…');
    button.addEventListener('click', openColumnList);
    wrapper.before(button);
  }

  function openColumnList() {
    var dialog = make('dialog', { class: 'column-list', 'aria-labelledby': 'column-list-title' }),
      body = make('div', { class: 'dialog-body' }),
      close = make('button', { type: 'button' }, 'Close');
    function shut() {
      dialog.close();
    }
    body.append(make('h2', { id: 'column-list-title' }, 'Columns'));
    columnHeads().forEach(function (th) {
      var details = make('details', { name: 'column-list' }),
        sort = th.getAttribute('aria-sort');
      details.append(make('summary', {}, th.dataset.column + (sort ? ' (sorted ' + sort + ')' : '')));
      fillActions(details, th, false, shut);
      body.appendChild(details);
    });
    close.addEventListener('click', shut);
    body.appendChild(make('p', { class: 'dialog-actions' })).appendChild(close);
    dialog.appendChild(body);
    document.body.appendChild(dialog);
    dialog.addEventListener('close', function () {
      dialog.remove();
    });
    dialog.showModal();
  }

  /* ---- choice of columns */
  function openChooser() {
    var data = window._columnChooserData,
      dialog = make('dialog', { class: 'choose-columns', 'aria-labelledby': 'choose-columns-title' });
    var form = make('form', { method: 'dialog', class: 'dialog-body' }),
      ol = make('ol'),
      actions = make('p', { class: 'dialog-actions' });
    form.append(make('h2', { id: 'choose-columns-title' }, 'Choose columns'), ol, actions);
    data.allColumns.forEach(function (name) {
      var li = make('li'),
        label = make('label'),
        box = make('input', { type: 'checkbox', value: name });
      box.checked = data.selectedColumns.indexOf(name) >= 0;
      box.disabled = data.primaryKeys.indexOf(name) >= 0;
      label.append(box, ' ' + name);
      li.appendChild(label);
      ol.appendChild(li);
    });
    var boxes = ol.querySelectorAll('input:not(:disabled)');
    function all(on) {
      boxes.forEach(function (box) {
        box.checked = on;
      });
    }
    var apply = make('input', { type: 'submit', value: 'Show these' });
    [
      ['All', true],
      ['None', false],
    ].forEach(function (pair) {
      var button = make('button', { type: 'button' }, pair[0]);
      button.addEventListener('click', function () {
        all(pair[1]);
      });
      actions.appendChild(button);
    });
    var cancel = make('button', { type: 'button' }, 'Cancel');
    cancel.addEventListener('click', function () {
      dialog.close();
    });
    actions.prepend(apply);
    actions.append(cancel);
    form.addEventListener('submit', function () {
      location.href = address(function (q) {
        var on = Array.from(boxes).filter(function (box) {
          return box.checked;
        });
        q.delete('_nocol');
        q.delete('_col');
        if (on.length === boxes.length) return;
        if (on.length)
          on.forEach(function (box) {
            q.append('_col', box.value);
          });
        else
          boxes.forEach(function (box) {
            q.append('_nocol', box.value);
          });
      });
    });
    dialog.appendChild(form);
    document.body.appendChild(dialog);
    dialog.addEventListener('close', function () {
      dialog.remove();
    });
    dialog.showModal();
  }

  /* ---- long cells */
  function foldLongCells() {
    document.querySelectorAll('.rows-and-columns td').forEach(function (td) {
      var text = td.textContent;
      if (text.length < FOLD_FROM && text.split('\n').length < 8) return;
      if (td.querySelector('pre, img, video, iframe')) return;
      var box = make('div', { class: 'fold' }),
        button = make('button', { type: 'button', class: 'fold-toggle', 'aria-expanded': 'false' }, 'more');
      while (td.firstChild) box.appendChild(td.firstChild);
      td.append(box, button);
      button.addEventListener('click', function () {
        var open = td.classList.toggle('open');
        button.textContent = open ? 'less' : 'more';
        button.setAttribute('aria-expanded', open ? 'true' : 'false');
      });
    });
  }

  /* ---- results of SQL carry no types: a column of numbers only is set like one */
  function alignNumbers() {
    document.querySelectorAll('.query .rows-and-columns').forEach(function (table) {
      var rows = Array.from(table.tBodies[0] ? table.tBodies[0].rows : []);
      Array.from(table.tHead.rows[0].cells).forEach(function (th, i) {
        var cells = rows.map(function (row) {
            return row.cells[i];
          }),
          filled = cells.filter(function (td) {
            return td.textContent.trim();
          });
        if (
          filled.length &&
          filled.every(function (td) {
            return /^-?\d+(\.\d+)?(e[+-]\d+)?$/.test(td.textContent.trim());
          })
        )
          cells.forEach(function (td) {
            td.classList.add('type-float');
          });
      });
    });
  }

  /* ---- filters */
  function addFilterRows() {
    var form = document.querySelector('form.filters');
    var rows = form ? Array.from(form.querySelectorAll('.filter-controls-row')) : [],
      blank = rows[rows.length - 1],
      n = rows.length;
    if (!blank) return;
    rows.slice(0, -1).forEach(addRemove);
    var more = make('button', { type: 'button', class: 'filter-add', 'aria-label': 'Add another filter' }, '+');
    more.addEventListener('click', function () {
      var copy = blank.cloneNode(true);
      copy.querySelectorAll('.filter-add').forEach(function (node) {
        node.remove();
      });
      copy.querySelectorAll('[name]').forEach(function (field) {
        field.name = field.name.replace(/(_\d+)?$/, '_' + (n + 100));
        field.value = field.tagName === 'SELECT' ? field.options[0].value : '';
      });
      n++;
      addRemove(copy);
      blank.after(copy);
      copy.querySelector('select').focus();
    });
    blank.appendChild(more);
    form.addEventListener('change', function (event) {
      if (event.target.name && /_filter_column/.test(event.target.name)) suggest(event.target);
    });
    form.querySelectorAll('select[name^="_filter_column"]').forEach(suggest);
  }

  function addRemove(row) {
    var button = make('button', { type: 'button', class: 'filter-remove', 'aria-label': 'Remove this filter' }, '×');
    button.addEventListener('click', function () {
      row.remove();
    });
    row.appendChild(button);
  }

  /* Values of a facet on the page are offered for its column. */
  function suggest(select) {
    var value = select.closest('.filter-row').querySelector('.filter-value');
    var facet = select.value && document.querySelector('.facet-info[data-column="' + CSS.escape(select.value) + '"]');
    value.removeAttribute('list');
    if (!facet) return;
    var id = 'values-' + facet.id,
      list = document.getElementById(id);
    if (!list) {
      list = make('datalist', { id: id });
      facet.querySelectorAll('[data-facet-value]').forEach(function (a) {
        var option = make('option', { value: a.dataset.facetValue });
        if (a.textContent !== a.dataset.facetValue) option.label = a.textContent;
        list.appendChild(option);
      });
      document.body.appendChild(list);
    }
    value.setAttribute('list', id);
  }

  /* ---- count all */
  function countInPlace() {
    var link = document.querySelector('a.count-sql');
    if (!link) return;
    link.addEventListener('click', function (event) {
      var url = new URL(link.href),
        heading = link.closest('h2, h3'),
        note = make('span', { class: 'count-sql', role: 'status' }, 'counting…');
      event.preventDefault();
      link.replaceWith(note);
      url.pathname += '.json';
      fetch(url)
        .then(function (response) {
          return response.json().then(function (data) {
            if (!response.ok || !data.rows) throw new Error(data.error || 'HTTP ' + response.status);
            heading.textContent = Number(Object.values(data.rows[0])[0]).toLocaleString('en') + ' rows';
          });
        })
        .catch(function (error) {
          note.textContent = error.message;
        });
    });
  }

  /* ---- estimates: the exact figures are on their way, and take the place of those marked ~ */
  var WAIT_FIRST_MS = 500,
    WAIT_MOST_MS = 8000,
    ESTIMATED = '.facet-estimated:not(.facet-final), .count-estimated',
    AWAITED = '.facets-awaited';

  /* The part of the page that holds an estimate, and the same part of another page. */
  function replaceFigures(mark, page) {
    var awaited = mark.matches(AWAITED),
      part = mark.closest(awaited ? '#facets' : '.facet-info, h2'),
      selector = part.id ? '#' + CSS.escape(part.id) : 'h2.row-count',
      fresh = page.querySelector(selector),
      focused = part.contains(document.activeElement) && document.activeElement.getAttribute('href');
    if (!fresh || fresh.querySelector(awaited ? AWAITED : ESTIMATED)) return;
    part.innerHTML = fresh.innerHTML;
    if (!focused) return;
    var again = part.querySelector('a[href="' + CSS.escape(focused) + '"]') || part.querySelector('a');
    if (again) again.focus();
  }

  function awaitExact(wait) {
    var marks = document.querySelectorAll(ESTIMATED + ', ' + AWAITED);
    if (!marks.length) return;
    marks.forEach(function (mark) {
      if (mark.matches('.facet-estimated')) mark.textContent = 'Estimated from a part of the rows; counting…';
    });
    setTimeout(function () {
      if (document.hidden) return awaitExact(wait);
      fetch(location.href)
        .then(function (response) {
          if (!response.ok) throw new Error('HTTP ' + response.status);
          return response.text();
        })
        .then(function (text) {
          var page = new DOMParser().parseFromString(text, 'text/html');
          marks.forEach(function (mark) {
            replaceFigures(mark, page);
          });
          awaitExact(Math.min(wait * 2, WAIT_MOST_MS));
        })
        .catch(function () {
          marks.forEach(function (mark) {
            if (mark.matches('.facet-estimated')) mark.textContent = 'Estimated from a part of the rows.';
          });
        });
    }, wait);
  }

  document.addEventListener('DOMContentLoaded', function () {
    awaitExact(WAIT_FIRST_MS);
    addFilterRows();
    countInPlace();
    alignNumbers();
    foldLongCells();
    addColumnMenus();
    addColumnList();
  });
})();
