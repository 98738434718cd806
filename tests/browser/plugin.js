/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that uses every hook there is, written as plugins of Datasette are. */
window.seen = {};
window.fields = [];
document.addEventListener('datasette_init', function (event) {
  var manager = event.detail;
  window.seen.version = manager.VERSION;
  window.seen.global = window.__DATASETTE__ === manager;
  window.seen.found = Object.keys(manager.selectors).filter(function (name) {
    return document.querySelector(manager.selectors[name]);
  });
  window.seen.headers = Array.from(document.querySelectorAll(manager.selectors.tableHeaders)).map(function (th) {
    return th.textContent.trim();
  });
  window.seen.json = (document.querySelector(manager.selectors.jsonExportLink) || {}).href;
  manager.registerPlugin('every-hook', {
    version: 0.1,
    makeAboveTablePanelConfigs: function () {
      return ['First', 'Second'].map(function (label) {
        return {
          id: label.toLowerCase(),
          label: label,
          render: function (node) {
            node.innerHTML = '<p>Panel ' + label + '</p>';
          },
        };
      });
    },
    makeColumnActions: function (column) {
      return [
        { label: 'Elsewhere', href: '/elsewhere?' + column.columnName },
        {
          label: 'Remember ' + column.columnName,
          onClick: function () {
            window.seen.column = column;
          },
        },
      ];
    },
    makeJumpSections: function () {
      return [
        {
          id: 'mine',
          render: function (node, context) {
            node.textContent = 'A section, ' + (context ? 'with context' : 'alone');
          },
        },
      ];
    },
    makeColumnField: function (context) {
      if (context.column !== 'Name') return null;
      return {
        useTextarea: true,
        render: function (field) {
          var button = document.createElement('button');
          button.type = 'button';
          button.className = 'plugin-button';
          button.textContent = 'Fill in';
          button.addEventListener('click', function () {
            field.setValue('by the plugin');
            window.fields.push(context.mode, context.table, context.column, field.hasChanged(), field.getValue());
          });
          return button;
        },
      };
    },
  });
  manager.registerPlugin('broken', {
    makeColumnActions: function () {
      throw new Error('meant to fail');
    },
  });
  manager.plugins.delete('broken');
});
