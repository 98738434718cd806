/* SPDX-License-Identifier: Apache-2.0 */
/* What scripts of plugins may rely on, as Datasette's documentation of JavaScript plugins describes it: the event
   datasette_init on the document, registerPlugin(), selectors, and the hooks that registered objects may have. */
(function () {
  'use strict';

  var selectors = {
    jsonExportLink: '.export-links a[href*=json]',
    tableWrapper: '.table-wrapper',
    table: 'table.rows-and-columns',
    aboveTablePanel: '.above-table-panel',
    tableHeaders: 'table.rows-and-columns th',
    filterRows: '.filter-row',
    facetResults: '.facet-results [data-column]',
  };
  var plugins = new Map();

  /* Everything that the hook of every plugin returns. One plugin that throws does not take the others with it. */
  function gather(hook, argument) {
    var all = [];
    plugins.forEach(function (plugin, name) {
      if (!plugin[hook]) return;
      try {
        all.push.apply(all, plugin[hook](argument) || []);
      } catch (error) {
        console.error('Plugin ' + name + ': ' + hook + '() failed', error);
      }
    });
    return all;
  }

  function select(panel, id) {
    panel.querySelectorAll('.tab-controls button').forEach(function (button) {
      button.setAttribute('aria-selected', button.getAttribute('aria-controls') === id ? 'true' : 'false');
    });
    Array.from(panel.querySelector('.tab-contents').children).forEach(function (node) {
      node.hidden = node.id !== id;
    });
  }

  function frame(panel) {
    if (panel.querySelector('.tab-contents')) return;
    var controls = document.createElement('div'),
      contents = document.createElement('div');
    controls.className = 'tab-controls';
    controls.setAttribute('role', 'tablist');
    contents.className = 'tab-contents panels';
    panel.append(controls, contents);
  }

  function addPanel(panel, id, config) {
    var button = document.createElement('button'),
      node = document.createElement('div');
    button.type = 'button';
    button.textContent = config.label;
    button.setAttribute('role', 'tab');
    button.setAttribute('aria-controls', id);
    button.addEventListener('click', function () {
      select(panel, id);
    });
    node.id = id;
    node.setAttribute('role', 'tabpanel');
    panel.querySelector('.tab-controls').appendChild(button);
    panel.querySelector('.tab-contents').appendChild(node);
    config.render(node);
  }

  /* Panels are made once; a plugin that registers later only adds its own. */
  function renderAboveTablePanel() {
    var panel = document.querySelector(selectors.aboveTablePanel);
    if (!panel) return;
    plugins.forEach(function (plugin, name) {
      if (!plugin.makeAboveTablePanelConfigs) return;
      plugin.makeAboveTablePanelConfigs().forEach(function (config) {
        var id = name + '_' + config.id + '_panel-content';
        if (document.getElementById(id)) return;
        frame(panel);
        addPanel(panel, id, config);
      });
    });
    var first = panel.querySelector('.tab-contents > *');
    if (first) select(panel, first.id);
  }

  var manager = {
    VERSION: window.datasetteVersion,
    plugins: plugins,
    selectors: selectors,
    renderAboveTablePanel: renderAboveTablePanel,
    registerPlugin: function (name, plugin) {
      if (plugins.has(name)) console.warn('Plugin ' + name + ' was registered twice; the later one counts');
      plugins.set(name, plugin);
      if (plugin.makeAboveTablePanelConfigs) renderAboveTablePanel();
    },
    /* column: {columnName, columnNotNull, columnType, isPk} -> [{label, href or onClick}] */
    makeColumnActions: function (column) {
      return gather('makeColumnActions', column);
    },
    makeJumpSections: function (context) {
      return gather('makeJumpSections', context);
    },
    /* The first plugin that returns a control wins. */
    makeColumnField: function (context) {
      var control = null;
      plugins.forEach(function (plugin, name) {
        if (control || !plugin.makeColumnField) return;
        try {
          var made = plugin.makeColumnField(context);
          if (made) control = Object.assign({ pluginName: name }, made);
        } catch (error) {
          console.error('Plugin ' + name + ': makeColumnField() failed', error);
        }
      });
      return control;
    },
  };

  document.addEventListener('DOMContentLoaded', function () {
    window.__DATASETTE__ = manager;
    document.dispatchEvent(new CustomEvent('datasette_init', { detail: manager }));
  });
})();
