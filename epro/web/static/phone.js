// One question at a time out of a document that holds all of them; every answer saved by a request of its own.
// What waits for the network lies in localStorage under its own key and is gone with the server's receipt.
(() => {
'use strict'
const $ = (selector, within) => (within || document).querySelector(selector)
const all = selector => Array.from(document.querySelectorAll(selector))
const words = JSON.parse($('#words').textContent)
const items = all('form.item'), review = $('#review'), waiting = $('#waiting'), skip = $('#skip'), send = $('#send')
const back = $('.back'), place = $('.place'), saved = $('.saved'), bar = $('progress')
const [answerNow, leaveBlank] = Array.from(skip.querySelectorAll('button'))
const WAITS_MS = 20000, AGAIN_MS = 5000, IDLE_MS = 3600000, DOUBLE_TAP_MS = 250, COPIES_AFTER_MS = 500
let here, shownAt, depth = 0, n = 0, sending = false, offline = false, touched = Date.now()

// ---- what is asked, and what was answered

const item = name => document.getElementById(name)
const value = form => { const one = $('textarea, input[type=number], :checked', form); return one ? one.value.trim() : '' }
const isAsked = form => {
  const gate = form.dataset.gate && item(form.dataset.gate)
  if (!gate) return true
  if (!isAsked(gate)) return false
  if (gate.said === undefined) return !('closed' in form.dataset)  // known to the server alone
  return !gate.said || form.dataset.when.split(' ').includes(gate.said)
}
const asked = () => items.filter(isAsked)
const firstLeft = () => asked().find(form => !form.dataset.state)

function choose(form, said) {
  const field = $('textarea, input[type=number]', form)
  if (field) field.value = said
  else for (const radio of form.querySelectorAll('[type=radio]')) radio.checked = radio.value === said
}

// ---- which screen is shown

function show(screen) {
  const forms = asked(), at = forms.indexOf(screen)
  for (const each of items.concat(review, waiting)) each.hidden = each !== screen
  skip.hidden = true
  here = screen
  shownAt = performance.now()
  const title = at < 0 ? words.review : words.place.replace('{n}', at + 1).replace('{count}', forms.length)
  place.textContent = at < 0 ? '' : title
  document.title = title
  bar.max = forms.length
  bar.value = at < 0 ? forms.length : at + 1
  back.hidden = screen === waiting || (at === 0 && !depth)
  if (screen === review) list(forms)
}

function list(forms) {
  for (const line of all('[data-item]')) {
    const form = item(line.dataset.item), at = forms.indexOf(form), said = value(form), state = form.dataset.state
    const label = said && ($(':checked + span', form) || {textContent: said}).textContent
    line.hidden = at < 0
    line.className = state || 'unanswered'
    $('.number', line).textContent = at + 1
    $('.answer', line).textContent = state === 'answered' && label || words[state]
  }
  const left = forms.filter(form => !form.dataset.state).length
  $('#left').hidden = !left
  $('#left .count').textContent = left
}

function focus() {
  scrollTo(0, 0)
  const heading = $('h1', here)
  heading.focus({preventScroll: true})
}

function go(screen) {
  history.pushState({at: screen.id, depth: ++depth}, '', '/form')
  show(screen)
  focus()
}

function onward() {
  keep()
  const forms = asked(), next = forms[forms.indexOf(here) + 1]
  go(here.fromReview || !next ? review : next)
  for (const form of items) form.fromReview = false
}

function previous() {
  if (depth) { history.back(); return }
  keep()
  const forms = asked(), at = here === review ? forms.length : forms.indexOf(here)
  show(forms[Math.max(at - 1, 0)])
  history.replaceState({at: here.id, depth}, '', '/form')
  focus()
}

addEventListener('popstate', event => {
  if (!event.state || here === waiting) return
  keep()
  depth = event.state.depth
  const screen = item(event.state.at)
  show(screen === review || isAsked(screen) ? screen : asked()[0])
  focus()
})

// ---- saving

let store
try { store = localStorage; store.setItem('epro', ''); store.removeItem('epro') } catch (error) { store = {} }
const ours = key => { const sent = new URLSearchParams(store[key]); return sent.get('form') === words.form ? sent : null }
/** What waits, in its order: of this form first, then what another patient left on the same phone. */
const queued = () => {
  const keys = Object.keys(store).filter(key => /^epro\d/.test(key)).sort()
  return keys.filter(ours).concat(keys.filter(key => !ours(key)))
}

function put(fields) {
  const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => ('0' + byte.toString(16)).slice(-2)).join('')
  const body = new URLSearchParams(Object.assign({
    ticket: words.ticket, form: words.form, key, said_at: new Date().toISOString(),
  }, fields)).toString()
  const name = 'epro' + Date.now() + ('00' + n++).slice(-3)
  try { store[name] = body } catch (error) { store = Object.assign({}, store, {[name]: body}) }
  flush()
}

/** Keep what is chosen on this screen, if it was not kept already. */
function keep() {
  if (!items.includes(here) || !here.checkValidity() || value(here) === (here.said || '')) return
  answer(here, value(here))
}

function answer(form, said) {
  form.said = said
  form.dataset.state = said ? 'answered' : 'skipped'
  const before = $('.before', form)
  if (before) before.remove()
  if (!said) $('legend', form).insertAdjacentHTML('afterend', '<p class="before">' + words.left + '</p>')
  put({name: form.id, value: said})
}

async function flush() {
  if (sending) return
  sending = true
  for (let keys = queued(); keys.length; keys = queued()) {
    tell()
    const sent = new URLSearchParams(store[keys[0]]), reply = await post(sent)
    offline = !reply || reply.key !== sent.get('key')  // anything else was not our server speaking
    if (offline) { setTimeout(flush, AGAIN_MS); break }
    const mine = ours(keys[0])
    delete store[keys[0]]
    if (!mine) continue
    if (reply.gone) for (const key of queued().filter(ours)) delete store[key]
    if (!reply.kept || sent.get('send')) { leave(reply.kept ? '/form/done' : '/form'); return }
    await receipt(sent)
  }
  sending = false
  tell()
}

const post = body => Promise.race([
  fetch('/form/answer', {method: 'POST', body, credentials: 'same-origin'}).then(reply => reply.json()),
  new Promise((_, fail) => setTimeout(fail, WAITS_MS)),
]).catch(() => null)

function tell() {
  const left = queued().filter(ours).length
  saved.className = 'saved' + (left && offline ? ' waits' : '')
  saved.textContent = left ? (offline ? `${words.waits} (${left})` : words.saving) : n || items.some(form => form.dataset.state) ? words.saved : ''
}

function leave(to) {
  if (self.caches) caches.delete('epro')
  location.replace(to)
}

// ---- the copy that opens without a network: it knows which questions were answered, never what

const page = (text, like) => new Response(text, {headers: {
  'Content-Type': like.headers.get('Content-Type'),
  'Content-Security-Policy': like.headers.get('Content-Security-Policy'),
}})

const received = []  // since this page came: the copy may have been asked for before them

async function copy() {
  if (!self.caches || !navigator.serviceWorker) return
  await navigator.serviceWorker.register('/worker.js')
  const kept = await fetch('/form/copy', {credentials: 'same-origin'})
  if (kept.ok) await layBy(await kept.text(), kept)
}

async function receipt(sent) {
  received.push([sent.get('name'), sent.get('value') ? 'answered' : 'skipped'])
  const kept = self.caches && await caches.match('/form')
  if (kept) await layBy(await kept.text(), kept)
}

async function layBy(text, like) {
  const known = received.length
  for (const [name, state] of received) text = text.replace(new RegExp('(id="' + name + '" data-state=")\\w*'), '$1' + state)
  await (await caches.open('epro')).put('/form', page(text, like))
  if (received.length > known) await layBy(text, like)
}

// ---- what she does

document.addEventListener('submit', event => {
  event.preventDefault()
  if (event.target === send) {
    const who = $(':checked', send)
    put({send: 1, who: who ? who.value : ''})
    show(waiting)
    focus()
  } else if (value(here) || here.dataset.state) onward()
  else {
    here.insertBefore(skip, here.firstChild)
    skip.hidden = false
    skip.focus()
    document.title = words.asks + ': ' + document.title
  }
})
document.addEventListener('click', event => {
  const line = event.target.closest('[data-item]')
  if (event.detail > 1 && event.timeStamp - shownAt < DOUBLE_TAP_MS && items.includes(here) && !value(here)) {  // a double tap goes one step
    event.preventDefault()
    return
  }
  if (line) { event.preventDefault(); item(line.dataset.item).fromReview = true; go(item(line.dataset.item)) }
  else if (event.target.closest('#left a')) { event.preventDefault(); go(firstLeft()) }
  else if (event.target === back) { event.preventDefault(); previous() }
})
answerNow.onclick = () => { show(here); ($('input, textarea', here)).focus() }
leaveBlank.onclick = () => { answer(here, ''); onward() }
addEventListener('online', flush)
addEventListener('pagehide', keep)
document.addEventListener('visibilitychange', () => {
  if (document.hidden) keep()
  else if (Date.now() - touched > IDLE_MS && navigator.onLine) location.reload()
  else flush()
  touched = Date.now()
})

// ---- where she stands

for (const form of items) form.said = form.dataset.state === 'answered' && !value(form) ? undefined : value(form)
let isSent = false
for (const key of queued()) {
  const sent = ours(key), form = sent && item(sent.get('name'))
  if (sent && sent.get('send')) isSent = true
  if (!form) continue
  choose(form, form.said = sent.get('value'))
  form.dataset.state = form.said ? 'answered' : 'skipped'
}
const at = history.state && item(history.state.at)
if (at) depth = history.state.depth
show(isSent ? waiting : at && (at === review || items.includes(at) && isAsked(at)) ? at : firstLeft() || review)
history.replaceState({at: here.id, depth}, '', '/form')
tell()
flush()
addEventListener('load', () => setTimeout(() => copy().catch(() => 0), COPIES_AFTER_MS))
})()
