/* SPDX-License-Identifier: Apache-2.0 */
/* Controls that plugins make for the columns of a row form (makeColumnField). The plugin gets the plain control of the
   form and may put its own beside it; what the form sends stays the value of the plain one. */
(function () {
  'use strict';

  function contextOf(row, form) {
    var d = row.dataset;
    return {
      mode: form.dataset.kind,
      database: form.dataset.database,
      table: form.dataset.table,
      tableUrl: form.dataset.tableUrl || null,
      column: d.column,
      columnType: d.columnType ? { type: d.columnType, config: null } : null,
      sqliteType: d.sqliteType || null,
      notNull: d.notNull === '1',
      isPk: d.isPk === '1',
      defaultExpression: 'defaultExpression' in d ? d.defaultExpression : null,
      form: form,
      dialog: null,
    };
  }

  function note(row) {
    var node = row.querySelector('.field-fault');
    if (!node) {
      node = document.createElement('span');
      node.className = 'form-note field-fault';
      node.setAttribute('role', 'alert');
      row.appendChild(node);
    }
    return node;
  }

  function fieldOf(row, form, control, context) {
    var none = row.querySelector('.row-null input'),
      clean = null;
    var field = {
      context: context,
      id: control.id,
      labelId: control.id + '-label',
      descriptionId: control.id + '-note',
      root: null,
      form: form,
      dialog: null,
      input: control,
      control: control,
      meta: row.querySelector('.form-note'),
      getValue: function () {
        return none && none.checked ? null : control.value;
      },
      setValue: function (value) {
        if (value !== null && typeof value === 'object')
          throw new TypeError('setValue() takes a text, number, boolean or null: write objects as JSON first');
        if (none) none.checked = value === null || value === undefined;
        control.value = value === null || value === undefined ? '' : String(value);
      },
      clearValue: function () {
        field.setValue(null);
      },
      getInitialValue: function () {
        return clean;
      },
      hasChanged: function () {
        return field.getValue() !== clean;
      },
      markClean: function () {
        clean = field.getValue();
      },
      setValidity: function (message) {
        control.setCustomValidity(message || '');
        if (message) control.setAttribute('aria-invalid', 'true');
        else control.removeAttribute('aria-invalid');
        note(row).textContent = message || '';
      },
      clearValidity: function () {
        field.setValidity('');
      },
    };
    field.markClean();
    return field;
  }

  function textareaFor(control) {
    var area = document.createElement('textarea');
    ['id', 'name', 'aria-describedby'].forEach(function (name) {
      if (control.hasAttribute(name)) area.setAttribute(name, control.getAttribute(name));
    });
    area.rows = 6;
    area.value = control.value;
    control.replaceWith(area);
    return area;
  }

  function decorate(row, form, manager) {
    var control = row.querySelector('input[id], textarea[id]');
    if (!control) return;
    var context = contextOf(row, form),
      plugin = manager.makeColumnField(context);
    if (!plugin) return;
    if (plugin.useTextarea && control.tagName !== 'TEXTAREA') control = textareaFor(control);
    var field = fieldOf(row, form, control, context),
      root = document.createElement('div');
    root.className = 'row-edit-plugin-control';
    root.dataset.pluginName = plugin.pluginName || '';
    root.dataset.column = context.column;
    field.root = root;
    try {
      var made = plugin.render ? plugin.render(field) : null;
      if (made && made.nodeType) root.appendChild(made);
    } catch (error) {
      console.error('Plugin ' + plugin.pluginName + ': render() of a column field failed', error);
      return;
    }
    if (root.childNodes.length) control.after(root);
    if (plugin.focus)
      row.querySelector('label').addEventListener('click', function () {
        plugin.focus(field);
      });
    if (plugin.destroy)
      window.addEventListener('pagehide', function () {
        plugin.destroy(field);
      });
  }

  document.addEventListener('datasette_init', function (event) {
    /* Plugins register in their own listeners of this event, which may come after this one. */
    setTimeout(function () {
      document.querySelectorAll('form.row-form').forEach(function (form) {
        form.querySelectorAll('.row-field[data-column]').forEach(function (row) {
          decorate(row, form, event.detail);
        });
      });
    }, 0);
  });
})();
