// Opens the form without a network: from the copy that the form has laid by, for whoever holds the same link.
const copy = async path => {
  const kept = await caches.match('/form')
  if (!kept || path === '/form') return kept
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(path.slice(3).toLowerCase()))
  const link = Array.from(new Uint8Array(hash).slice(0, 8), byte => ('0' + byte.toString(16)).slice(-2)).join('')
  return (await kept.clone().text()).includes(`"link": "${link}"`) ? kept : undefined
}
addEventListener('install', () => skipWaiting())
addEventListener('activate', event => event.waitUntil(clients.claim()))
addEventListener('fetch', event => {
  const request = event.request, path = new URL(request.url).pathname
  if (request.mode !== 'navigate') return
  if (request.method !== 'GET') {  // a new start
    if (path.startsWith('/p/')) event.respondWith(caches.delete('epro').then(() => fetch(request)))
  } else if (path === '/form' || path.startsWith('/p/')) event.respondWith(
    fetch(request).catch(error => copy(path).then(kept => { if (kept) return kept; throw error })))
})
