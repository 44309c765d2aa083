// Renders openapi.json: routes by tag, each with parameters, body, answer. No library, no outside request.
const el = (tag, attributes = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), attributes);
  node.append(...children);
  return node;
};
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
let api;

const resolve = (schema) => (schema?.$ref ? api.components.schemas[schema.$ref.split('/').pop()] : schema);

function example(schema, depth = 0) {
  const name = schema?.$ref;
  schema = resolve(schema);
  if (!schema || depth > 6) return name ? name.split('/').pop() : null;
  if (schema.example !== undefined) return schema.example;
  const one = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (one) return example(one.find((s) => s.type !== 'null') ?? one[0], depth + 1);
  if (schema.enum) return schema.enum.join(' | ');
  const type = Array.isArray(schema.type) ? schema.type.find((t) => t !== 'null') : schema.type;
  if (type === 'array') return [example(schema.items, depth + 1)];
  if (type === 'object' || schema.properties) {
    return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([k, v]) => [k, example(v, depth + 1)]));
  }
  if (type === 'integer' || type === 'number') return 0;
  if (type === 'boolean') return true;
  return schema.format === 'date-time' ? '2026-03-02T02:00:00Z' : 'text';
}

function fields(schema) {
  schema = resolve(schema);
  const rows = Object.entries(schema?.properties ?? {}).map(([name, field]) => {
    const words = field.description ?? resolve(field)?.description ?? '';
    const must = (schema.required ?? []).includes(name) ? '' : ' (optional)';
    return el('tr', {}, el('td', {}, el('code', { textContent: name }), must), el('td', { textContent: words }));
  });
  return rows.length ? el('div', { className: 'scroll' }, el('table', {}, ...rows)) : '';
}

function shape(title, content) {
  const [kind, body] = Object.entries(content ?? {})[0] ?? [];
  if (!kind) return '';
  const parts = [el('h4', { textContent: `${title}: ${kind}` })];
  if (kind.includes('json')) {
    parts.push(fields(body.schema), el('pre', { textContent: JSON.stringify(example(body.schema), null, 2) }));
  }
  return el('section', {}, ...parts);
}

function route(path, method, op) {
  const parameters = (op.parameters ?? []).map((p) =>
    el('tr', {}, el('td', {}, el('code', { textContent: p.name }), p.required ? '' : ' (optional)'),
      el('td', { textContent: p.in }), el('td', { textContent: p.description ?? '' })));
  const answers = Object.entries(op.responses ?? {}).map(([status, r]) =>
    shape(status === 'default' ? 'Refusal' : `Answer ${status}${r.description ? ', ' + r.description : ''}`, r.content)
      || el('p', { textContent: `Answer ${status}: ${r.description}` }));
  return el('details', { id: `${method}-${path}` },
    el('summary', {}, el('span', { className: `method ${method}`, textContent: method.toUpperCase() }),
      el('code', { textContent: path }), el('span', { className: 'muted', textContent: op.summary ?? '' })),
    el('p', { textContent: op.description ?? '' }),
    op.security ? el('p', { className: 'muted', textContent: 'Needs authorization: Bearer …' }) : '',
    parameters.length ? el('div', { className: 'scroll' }, el('table', {}, ...parameters)) : '',
    shape('Body', op.requestBody?.content), ...answers);
}

function show(filter = '') {
  const word = filter.toLowerCase();
  const main = document.getElementById('routes');
  main.replaceChildren();
  let count = 0;
  for (const tag of api.tags ?? []) {
    const found = Object.entries(api.paths).flatMap(([path, item]) => METHODS.filter((m) => item[m]?.tags?.includes(tag.name))
      .filter((m) => `${m} ${path} ${item[m].summary ?? ''}`.toLowerCase().includes(word)).map((m) => route(path, m, item[m])));
    count += found.length;
    if (found.length) main.append(el('h2', { textContent: tag.name }), el('p', { className: 'muted', textContent: tag.description ?? '' }), ...found);
  }
  if (!count) main.append(el('p', { textContent: `No route has “${filter}” in its method, path or title.` }));
}

fetch('/openapi.json').then((r) => r.json()).then((document_) => {
  api = document_;
  document.getElementById('about').textContent = api.info.description;
  show();
  document.getElementById('find').addEventListener('input', (e) => show(e.target.value));
}).catch((e) => {
  document.getElementById('about').textContent = `The document could not be read: ${e.message}`;
});
