'use strict';
// The testers' console. Whatever comes from a message is put in as text, never as markup.

const TEXTS = {
  title: ['testers\' console', '测试控制台'],
  scenarios: ['Scenarios', '场景'], send: ['Send a message', '发送报文'], books: ['Books', '账目'],
  run: ['Run', '运行'], stop: ['Stop', '停止'], run_shown: ['Run all shown', '运行所列'], filter: ['Filter: name, operation, words', '筛选:名称、业务、文字'],
  own: ['My own scenario (TOML)', '自编场景(TOML)'], check_and_run: ['Check and run', '检查并运行'],
  send_about: ['The message is made from a template, signed and sealed with the sender\'s keys, and put to the bench\'s gateway. What is about another message (refund, cancel, query) follows a good one.',
    '报文按模板生成,以发送方密钥签名加密,送入工作台的网关;退款、冲正、查询先发一笔正常原交易。'],
  by: ['Sender', '发送方'], operation: ['Operation', '业务'], customer: ['Customer', '客户'], amount: ['Amount in yuan', '金额(元)'],
  fault: ['What is wrong with it', '报文错误'], corrupt: ['Field changed after signing', '签名后被改动的字段'],
  how: ['How the other side answers', '对方如何应答'], reason: ['Reason of a refusal', '拒绝原因'], after_ms: ['Delay in ms', '延迟(毫秒)'],
  fields: ['Fields that differ from the template', '与模板不同的字段'], one_more: ['One more field', '再加一个字段'], send_it: ['Sign and send', '签名并发送'],
  plays: ['Runs', '运行记录'], bench: ['Show the bench', '看工作台'], bench_flow: ['Bench: live messages', '工作台:实时报文'], flow_of: ['Messages of', '报文:'],
  centre: ['Centre', '中心'], gateway: ['Gateway', '网关'], platform: ['Platform', '平台'],
  sent: ['sent', '已发'], verified: ['verified', '验签通过'], answered: ['answered', '已应答'], bad_signature: ['bad signatures', '验签失败'], unreadable: ['unreadable', '不可读'],
  contradicted: ['contradictions', '前后矛盾'], open: ['open', '未了结'], refused: ['refused', '拒绝'], rejected: ['rejected', '拒收'], repeated: ['repeats', '重复'],
  postings: ['postings', '分录'], ledger_sum_fen: ['ledger sum', '总账合计'],
  waiting: ['waiting', '等待'], running: ['running', '运行中'], passed: ['passed', '通过'], failed: ['FAILED', '未通过'], stopped: ['stopped', '已停止'],
  steps: ['Steps', '步骤'], checks: ['Checks at the end', '结束核对'], expected: ['expected', '期望'], came: ['came', '实际'], line: ['line', '行'],
  settled: ['everything settled and delivered; still open', '全部到终态并送达;未了结'], equal: ['the three books are equal', '三方账目一致'],
  unequal: ['the three books differ', '三方账目不一致'], once: ['nothing executed twice; executed twice', '无重复执行;重复执行'],
  consistent: ['no reply contradicts an earlier one; contradictions', '应答前后不矛盾;矛盾'], ledger: ['the ledger sums to zero; sum in fen', '总账借贷平衡;合计(分)'],
  set_up: ['the stage', '环境'], verified_all: ['counterparties verified and read everything; refused', '对手方全部验签并可读;被拒'],
  seconds: ['s', '秒'], message: ['Message', '报文'], executions: ['executed', '执行次数'], nothing: ['nothing yet', '暂无'], none: ['none', '无'], as_usual: ['as usual', '正常'],
  gone: ['The console does not answer. Is it still running?', '控制台无应答,是否仍在运行?'],
  again: ['To run it again', '重新运行'], payment: ['Payment', '业务键'],
};

/** What the page shows of each party, in this order. */
const FIGURES = {
  centre: ['sent', 'answered', 'verified', 'bad_signature', 'unreadable', 'contradicted'],
  gateway: ['open', 'refused'],
  platform: ['postings', 'ledger_sum_fen', 'repeated', 'rejected'],
};

const query = new URLSearchParams(location.search);
const token = location.hash.slice(1);
let language = query.get('lang') === 'zh' || (!query.has('lang') && navigator.language.startsWith('zh')) ? 1 : 0;
let words = null;
let shown = { number: 0, name: '' };
let next = 0;
let watch = 0;
let tab = 'scenarios';

const t = (key) => (TEXTS[key] || [key, key])[language];
const $ = (id) => document.getElementById(id);

/** An element with attributes, and children that are elements or texts. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === 'on') element.addEventListener('click', value);
    else if (value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

async function call(path, body) {
  const options = { headers: { 'hangu-token': token } };
  if (body !== undefined) Object.assign(options, { method: 'POST', body: JSON.stringify(body) });
  let response;
  try {
    response = await fetch(`/api/${path}`, options);
  } catch {
    $('trouble').textContent = t('gone');
    throw new Error('gone');
  }
  const answer = await response.json();
  $('trouble').textContent = response.ok || response.status === 422 || response.status === 404 ? '' : answer.error;
  if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
  return answer;
}

// ---- what stands: parties and runs

async function refresh() {
  const state = await call('state');
  if (state.parties) $('parties').replaceChildren(...['centre', 'gateway', 'platform'].map((name) => party(name, state.parties[name])));
  $('plays').replaceChildren(...(state.plays.length ? state.plays.map(play) : [make('p', { class: 'dim' }, t('nothing'))]));
  const own = state.plays.find((one) => one.number === shown.number);
  if (own && !['waiting', 'running'].includes(own.state) && $('verdict').dataset.number !== String(own.number)) await verdict(own);
  if (tab === 'books') await book();
}

function party(name, figures) {
  const entries = FIGURES[name].flatMap((key) => (typeof figures[key] === 'object'
    ? Object.entries(figures[key]).map(([step, count]) => [`${t(key)}: ${step}`, count])
    : [[t(key), key === 'ledger_sum_fen' ? yuan(Number(figures[key])) : figures[key]]]));
  const bad = new Set(['bad_signature', 'unreadable', 'contradicted', 'rejected'].map(t));
  return make('div', { 'data-party': name }, make('h2', {}, t(name)),
    make('dl', {}, ...entries.map(([key, value]) => make('div', {}, make('dt', {}, key), make('dd', { class: bad.has(key) && value ? 'bad' : undefined }, String(value))))));
}

function play(one) {
  const goesOn = ['waiting', 'running'].includes(one.state);
  const row = make('div', { class: `row click${one.number === shown.number ? ' chosen' : ''}`, 'data-play': one.number, 'data-state': one.state, on: () => show(one) },
    make('small', {}, `#${one.number}`), make('span', { class: 'name' }, one.name),
    make('small', {}, goesOn ? '' : `${(one.took_ms / 1000).toFixed(1)} ${t('seconds')}`),
    goesOn ? make('button', { class: 'small', on: (event) => { event.stopPropagation(); call('stop', { number: one.number }).then(refresh, () => {}); } }, t('stop')) : null,
    make('span', { class: `state ${one.state}` }, t(one.state)));
  return row;
}

// ---- one run: its verdict and its messages

function show(one) {
  shown = { number: one.number, name: one.name, kind: one.kind };
  next = 0;
  $('verdict').replaceChildren();
  delete $('verdict').dataset.number;
  $('shown').textContent = one.number ? `${t('flow_of')} ${one.name}` : t('bench_flow');
  heads();
  watch += 1;
  follow(watch);
  refresh().catch(() => {});
}

async function follow(mine) {
  // An order's messages are the bench's; its own stand in its verdict.
  const number = shown.kind === 'order' ? 0 : shown.number;
  while (mine === watch) {
    let flow;
    try {
      flow = await call(`flow/${number}/${next}`);
    } catch (error) {
      if (error.status === 404) return;
      await new Promise((wake) => setTimeout(wake, 2000));
      continue;
    }
    if (mine !== watch) return;
    next = flow.next;
    for (const message of flow.messages) arrive(message);
  }
}

function heads() {
  $('flow').replaceChildren(make('tr', {}, make('th', { class: 'n' }, t('seconds')), ...['centre', '', 'gateway', '', 'platform'].map((name) => make('th', { class: 'lane' }, name && t(name))), make('th', {}, t('message'))));
}

function arrive(message) {
  const left = message.from === 'centre' || message.to === 'centre';
  const arrow = left === (message.to === 'gateway') ? '──▶' : '◀──';
  const lanes = left ? ['●', arrow, '●', '', ''] : ['', '', '●', arrow, '●'];
  const fields = make('pre', { class: 'fields' }, message.fields.map(([name, value]) => `${name} = ${value}`).join('\n'));
  fields.hidden = true;
  const { what, outcome = '', remark = '' } = message;
  const text = [what, outcome, remark].filter(Boolean).join(', ');
  const bad = remark.startsWith('refused') || outcome.startsWith('failed');
  const row = make('tr', { class: 'click', on: () => { fields.hidden = !fields.hidden; } },
    make('td', { class: 'n' }, (message.at_ms / 1000).toFixed(3)), ...lanes.map((lane) => make('td', { class: 'lane arrow' }, lane)),
    make('td', { class: 'what' }, make('span', { class: bad ? 'bad' : undefined }, text), make('span', { class: 'dim' }, ` ${message.bytes} B`), fields));
  const table = $('flow');
  table.insertBefore(row, table.rows[1] || null);
  while (table.rows.length > 1000) table.deleteRow(-1);
}

async function verdict(own) {
  const found = await call(`verdict/${own.number}`);
  if (own.number !== shown.number) return;
  const state = own.state;
  const step = (one) => make('li', { class: one.ok ? undefined : 'bad' }, one.text, make('small', { class: 'dim' }, ` ${(one.at_ms / 1000).toFixed(3)} ${t('seconds')}`), ...misses(one));
  const check = (one) => make('li', { class: one.ok ? 'good' : 'bad' }, `${t(one.name === 'verified' ? 'verified_all' : one.name)}: ${one.detail}`);
  const box = $('verdict');
  box.dataset.number = own.number;
  box.replaceChildren(
    make('p', {}, make('b', { class: state, 'data-verdict': state }, t(state)), ` ${language ? found.about_zh : found.about_en}`),
    make('details', state === 'failed' ? { open: '' } : {}, make('summary', {}, `${t('steps')}, ${t('checks')}`), make('ol', {}, ...found.steps.map(step)), make('ul', {}, ...found.checks.map(check)),
      own.kind === 'scenario' ? make('p', {}, `${t('again')}: `, make('code', {}, `hangu sim run ${found.source} --seed ${found.seed}`)) : null));
}

function misses(one) {
  return ['expected', 'came'].filter((key) => one[key]).map((key) => make('pre', {}, `${t(key)}: ${one[key].join('\n')}`));
}

// ---- scenarios

function list() {
  const wanted = $('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (one) => wanted.every((word) => `${one.name} ${one.operation} ${one.institution} ${one.zh} ${one.en}`.toLowerCase().includes(word));
  return words.scenarios.filter(fits);
}

function scenarios() {
  $('list').replaceChildren(...list().map((one) => make('div', { class: 'row', 'data-scenario': one.name },
    make('div', { class: 'name' }, make('b', {}, one.name), make('br'), make('small', { title: one.steps.join('\n') }, language ? one.zh : one.en)),
    make('button', { class: 'small', on: () => start({ name: one.name }) }, t('run')))));
}

async function start(asked) {
  const begun = await call('play', asked);
  show({ number: begun.numbers[0], name: asked.name || 'scenario', kind: 'scenario' });
}

async function startAll() {
  for (const one of list()) await call('play', { name: one.name });
  await refresh();
}

async function startText() {
  const flaws = $('flaws');
  flaws.hidden = true;
  try {
    await start({ text: $('text').value });
  } catch (error) {
    flaws.hidden = error.status !== 422;
    flaws.textContent = error.message;
  }
}

// ---- one message by hand

function choices(select, values, empty) {
  const kept = select.value;
  const options = values.map((value) => make('option', { value }, value));
  select.replaceChildren(...(empty === undefined ? [] : [make('option', { value: '' }, empty)]), ...options);
  if ([...select.options].some((option) => option.value === kept)) select.value = kept;
}

function form() {
  const order = $('order').elements;
  choices(order.by, ['centre', 'platform']);
  for (const option of order.by.options) option.textContent = t(option.value);
  choices(order.operation, words.operations[order.by.value || 'centre']);
  choices(order.customer, ['plain', 'poor', 'frozen', 'unknown']);
  choices(order.fault, words.faults, t('none'));
  choices(order.corrupt, words.fields, t('none'));
  choices(order.how, words.hows, t('as_usual'));
  choices(order.reason, words.reasons, t('none'));
}

function another() {
  const select = make('select');
  choices(select, words.fields);
  $('set').append(make('div', { class: 'bar' }, select, make('input', { 'aria-label': t('fields') })));
}

async function send(event) {
  event.preventDefault();
  const order = $('order').elements;
  const asked = { set: {} };
  for (const key of ['by', 'operation', 'customer', 'amount', 'fault', 'corrupt']) asked[key] = order[key].value.trim();
  for (const row of $('set').children) asked.set[row.children[0].value] = row.children[1].value;
  if (order.how.value) asked.reply = { how: order.how.value, reason: order.reason.value, after_ms: Number(order.after_ms.value) || 0 };
  const flaws = $('order-flaws');
  flaws.hidden = true;
  try {
    const begun = await call('send', asked);
    show({ number: begun.numbers[0], name: `${asked.operation}-by-hand`, kind: 'order' });
  } catch (error) {
    flaws.hidden = error.status !== 422;
    flaws.textContent = error.message;
  }
}

// ---- books

async function book() {
  const found = await call('books');
  $('equal').textContent = found.equal ? t('equal') : t('unequal');
  $('equal').className = found.equal ? 'good' : 'bad';
  const head = make('tr', {}, ...['payment', 'operation', 'amount', 'centre', 'gateway', 'platform', 'executions'].map((key) => make('th', {}, t(key))));
  const cell = (text) => make('td', { class: text }, text);
  const row = (one) => make('tr', {}, make('td', { class: 'what' }, one.key), make('td', {}, one.operation), make('td', { class: 'n' }, yuan(one.amount_fen)),
    cell(one.centre), cell(one.gateway), cell(one.platform), make('td', { class: 'n' }, String(one.executions)));
  $('book').replaceChildren(head, ...found.rows.map(row));
}

/** Integer fen as yuan, without a binary fraction on the way. */
function yuan(fen) {
  const digits = String(Math.abs(fen)).padStart(3, '0');
  return `${fen < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

// ---- the page

function turn(to) {
  tab = to;
  for (const button of document.querySelectorAll('[data-tab]')) {
    button.setAttribute('aria-selected', String(button.dataset.tab === to));
    $(`tab-${button.dataset.tab}`).hidden = button.dataset.tab !== to;
  }
  refresh().catch(() => {});
}

function speak() {
  document.documentElement.lang = language ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll('[data-t]')) element.textContent = t(element.dataset.t);
  $('filter').placeholder = t('filter');
  $('lang').textContent = language ? 'English' : '中文';
  form();
  scenarios();
  const one = shown;
  show(one);
}

const EXAMPLE = `name = "mine"
about_zh = "借记,平台应答迟到"
about_en = "A debit whose answer from the platform is late"
institution = "nps"
operation = "debit"

[[step]]
reply = "platform"
how = "late"

[[step]]
send = "debit"
name = "pay"

[[step]]
expect = "reply"
to = "pay"
outcome = "processing"
name = "interim"

[[step]]
expect = "reply"
to = "pay"
after = "interim"
outcome = "success"

[[step]]
books = "equal"
executed = { pay = 1 }
`;

async function begin() {
  words = await call('words');
  $('text').value = EXAMPLE;
  for (const button of document.querySelectorAll('[data-tab]')) button.addEventListener('click', () => turn(button.dataset.tab));
  $('lang').addEventListener('click', () => { language = 1 - language; speak(); });
  $('filter').addEventListener('input', scenarios);
  $('run-all').addEventListener('click', () => startAll().catch(() => {}));
  $('run-text').addEventListener('click', startText);
  $('bench').addEventListener('click', () => show({ number: 0, name: '' }));
  $('more').addEventListener('click', another);
  $('order').elements.by.addEventListener('change', form);
  $('order').addEventListener('submit', send);
  speak();
  turn(tab);
  setInterval(() => refresh().catch(() => {}), 1000);
}

begin().catch(() => {});
