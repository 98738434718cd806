/* SPDX-License-Identifier: Apache-2.0 */
/* On every page: the colour switch, menus made of <details class="details-menu">, the jump dialog. */
(function () {
  'use strict';
  var here = document.currentScript,
    root = document.documentElement;

  /* ---- colours: automatic, light, dark. The page head sets data-theme before the first paint. */
  var themes = ['auto', 'light', 'dark'],
    themeNames = { auto: 'automatic', light: 'light', dark: 'dark' };
  var themeMarks = { auto: '◐', light: '☀', dark: '☾' };

  function showTheme(button) {
    var theme = root.dataset.theme || 'auto';
    button.querySelector('[data-theme-name]').textContent = themeNames[theme] || theme;
    button.firstElementChild.textContent = themeMarks[theme] || themeMarks.auto;
    button.title = 'Colours: ' + themeNames[theme];
  }

  document.querySelectorAll('[data-theme-toggle]').forEach(function (button) {
    button.hidden = false;
    showTheme(button);
    button.addEventListener('click', function () {
      var next = themes[(themes.indexOf(root.dataset.theme || 'auto') + 1) % themes.length];
      root.dataset.theme = next;
      try {
        localStorage.setItem('theme', next);
      } catch (e) {
        /* private window: holds for this page */
      }
      showTheme(button);
    });
  });

  /* ---- links whose script is fetched when they are used first: then they are clicked again */
  document.addEventListener('click', function (event) {
    var link = event.target.closest('a[data-script]');
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    if (link.dataset.loading) return;
    link.dataset.loading = 'yes';
    var script = document.createElement('script');
    script.src = link.dataset.script;
    script.onload = function () {
      link.removeAttribute('data-script');
      link.click();
    };
    script.onerror = function () {
      location.href = link.href;
    };
    document.head.append(script);
  });

  /* ---- menus */
  function openMenus() {
    return Array.from(document.querySelectorAll('details.details-menu[open]'));
  }

  document.querySelectorAll('details.details-menu').forEach(function (details) {
    details.addEventListener('toggle', function () {
      var first = details.open && details.querySelector('[role="menuitem"]');
      if (first) first.focus();
    });
  });
  document.addEventListener('click', function (event) {
    openMenus().forEach(function (details) {
      if (!details.contains(event.target)) details.open = false;
    });
  });
  document.addEventListener('keydown', function (event) {
    openMenus().forEach(function (details) {
      if (event.key === 'Escape') {
        details.open = false;
        details.querySelector('summary').focus();
      } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
        var items = Array.from(details.querySelectorAll('.dropdown-menu a, .dropdown-menu button'));
        if (!items.length || !details.contains(document.activeElement)) return;
        var at = items.indexOf(document.activeElement),
          step = event.key === 'ArrowDown' ? 1 : -1;
        event.preventDefault();
        items[at < 0 ? 0 : (at + step + items.length) % items.length].focus();
      }
    });
  });

  /* ---- jump: names of databases, tables, views and queries, asked from /-/jump.json */
  var jumpUrl = here && here.dataset.jump,
    dialog,
    input,
    list,
    timer,
    asked = 0,
    chosen = -1;
  var RECENT_KEY = 'jump-recent',
    RECENT_MAX = 5;

  function recent() {
    try {
      return JSON.parse(localStorage.getItem(RECENT_KEY)) || [];
    } catch (e) {
      return [];
    }
  }

  function remember(item) {
    var items = [item]
      .concat(
        recent().filter(function (old) {
          return old.url !== item.url;
        }),
      )
      .slice(0, RECENT_MAX);
    try {
      localStorage.setItem(RECENT_KEY, JSON.stringify(items));
    } catch (e) {
      /* not kept */
    }
  }

  function make(name, attributes, text) {
    var node = document.createElement(name);
    Object.keys(attributes || {}).forEach(function (key) {
      node.setAttribute(key, attributes[key]);
    });
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function choose(i) {
    var items = list.querySelectorAll('.jump-item');
    chosen = items.length ? (i + items.length) % items.length : -1;
    items.forEach(function (item, n) {
      item.setAttribute('aria-selected', n === chosen ? 'true' : 'false');
    });
    if (chosen >= 0) {
      input.setAttribute('aria-activedescendant', items[chosen].id);
      items[chosen].scrollIntoView({ block: 'nearest' });
    } else {
      input.removeAttribute('aria-activedescendant');
    }
  }

  function show(items, note) {
    var found = list.firstElementChild;
    found.textContent = '';
    list.querySelectorAll('.jump-note, .jump-section').forEach(function (node) {
      node.remove();
    });
    items.forEach(function (item, n) {
      var a = make('a', { class: 'jump-item', role: 'option', id: 'jump-' + n, href: item.url, tabindex: '-1' });
      a.append(make('span', {}, item.name), make('small', {}, item.type || ''));
      a.addEventListener('click', function () {
        remember(item);
      });
      found.appendChild(a);
    });
    if (note) list.appendChild(make('p', { class: 'jump-note' }, note));
    choose(0);
  }

  function sections() {
    var manager = window.__DATASETTE__,
      context = { navigationSearch: dialog, container: list, input: input };
    if (!manager || !manager.makeJumpSections) return;
    manager.makeJumpSections({ navigationSearch: dialog }).forEach(function (section) {
      var node = make('div', { class: 'jump-section', 'data-section': section.id });
      list.appendChild(node);
      section.render(node, context);
    });
  }

  function ask() {
    var mine = ++asked,
      q = input.value.trim();
    if (!q) {
      var old = recent();
      show(old, old.length ? 'Opened lately' : 'Type the name of a database, table, view or query');
      sections();
      return;
    }
    fetch(jumpUrl + '?' + new URLSearchParams({ q: q }))
      .then(function (response) {
        if (!response.ok) throw new Error('HTTP ' + response.status);
        return response.json();
      })
      .then(function (data) {
        if (mine === asked)
          show(
            data.matches,
            data.matches.length ? (data.truncated ? 'And more: type on' : '') : 'Nothing has that name',
          );
      })
      .catch(function () {
        if (mine === asked) show([], 'The site did not answer. Try again.');
      });
  }

  function buildDialog() {
    dialog = make('dialog', { class: 'jump', 'aria-label': 'Jump to' });
    input = make('input', {
      type: 'search',
      class: 'search-input',
      placeholder: 'Jump to…',
      'aria-label': 'Name',
      role: 'combobox',
      'aria-expanded': 'true',
      'aria-controls': 'jump-list',
      'aria-autocomplete': 'list',
      autocomplete: 'off',
      spellcheck: 'false',
    });
    list = make('div', { class: 'results-container' });
    list.appendChild(make('div', { id: 'jump-list', role: 'listbox', 'aria-label': 'Matches' }));
    dialog.append(input, list);
    document.body.appendChild(dialog);
    input.addEventListener('input', function () {
      clearTimeout(timer);
      timer = setTimeout(ask, 150);
    });
    input.addEventListener('keydown', function (event) {
      if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
        event.preventDefault();
        choose(chosen + (event.key === 'ArrowDown' ? 1 : -1));
      } else if (event.key === 'Enter') {
        var item = list.querySelectorAll('.jump-item')[chosen];
        if (item) item.click();
      }
    });
    dialog.addEventListener('click', function (event) {
      if (event.target === dialog) dialog.close();
    });
  }

  function openJump() {
    if (!dialog) buildDialog();
    if (dialog.open) return;
    dialog.showModal();
    input.value = '';
    ask();
  }

  if (jumpUrl && window.HTMLDialogElement) {
    document.querySelectorAll('[data-navigation-search-open]').forEach(function (button) {
      button.hidden = false;
      button.addEventListener('click', openJump);
    });
    document.addEventListener('keydown', function (event) {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
      if (
        event.target.closest &&
        event.target.closest('input, textarea, select, [contenteditable="true"], .cm-editor')
      )
        return;
      event.preventDefault();
      openJump();
    });
  }
})();
