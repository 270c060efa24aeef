// What the enrolment server says to peers that send what they should not, as a process of its own, over real TLS.

import * as net from 'node:net'
import type { TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { makeCsr } from '../support/csr.ts'
import { loghop } from '../support/daemon.ts'
import { Enrolment, EST, type Reply } from '../support/enrolment.ts'
import { eventually } from '../support/eventually.ts'

const PKCS10 = { 'Content-Type': 'application/pkcs10' }
const BASIC = { Authorization: `Basic ${Buffer.from('web01.example.com:wrong').toString('base64')}` }
const HEAD = `POST ${EST}/simpleenroll HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pkcs10\r\nAuthorization: ${BASIC.Authorization}\r\n`

function refused(t: ExecutionContext, reply: Reply, status: number, sentence: RegExp): void {
  t.is(reply.status, status, reply.text)
  t.is(reply.headers['content-type'], 'text/plain; charset=utf-8')
  t.regex(reply.text, sentence)
  t.regex(reply.text, /^[A-Z].*[^.]\n {2}[A-Z].*\n$/, 'one sentence and one remedy')
}

test.serial('an answer to every path and method, and nothing issued by a wrong one', async (t) => {
  const est = await Enrolment.start(t)
  refused(t, await est.ask('/'), 404, /nothing at this path/)
  refused(t, await est.ask(`${EST}/fullcmc`), 404, /nothing at this path/)
  refused(t, await est.ask(`${EST}/cacerts/../../../ca/journal`), 404, /nothing at this path/)
  refused(t, await est.ask('/crl/99'), 404, /no revocation list of that issuer/)
  refused(t, await est.ask('/crl/0x1'), 404, /nothing at this path/)
  for (const path of ['simpleenroll', 'simplereenroll']) {
    const reply = await est.ask(`${EST}/${path}`)
    refused(t, reply, 405, /takes POST, not GET/)
    t.is(reply.headers['allow'], 'POST')
  }
  const posted = await est.ask(`${EST}/cacerts`, { body: 'x' })
  refused(t, posted, 405, /takes GET, not POST/)
  t.is(posted.headers['allow'], 'GET')
  t.is((await est.ask(`${EST}/cacerts`, { method: 'HEAD' })).status, 405)
  t.is((await est.ask('/crl', { method: 'DELETE' })).status, 405)
})

test.serial('a request to enrol needs its content type, a name and a secret, and base64', async (t) => {
  const est = await Enrolment.start(t)
  const { der } = await makeCsr()
  const body = der.toString('base64')
  const enrol = (headers: Record<string, string>, text = body) => est.ask(`${EST}/simpleenroll`, { headers, body: text })
  refused(t, await enrol(BASIC), 415, /no content type, application\/pkcs10 is needed/)
  refused(t, await enrol({ ...BASIC, 'Content-Type': 'text/plain' }), 415, /another content type/)
  const challenged = await enrol(PKCS10)
  refused(t, challenged, 401, /needs a name and a secret/)
  t.regex(challenged.headers['www-authenticate'] ?? '', /^Basic realm="/)
  refused(t, await enrol({ ...PKCS10, Authorization: 'Bearer abc' }), 401, /needs a name and a secret/)
  refused(t, await enrol({ ...PKCS10, ...BASIC }, `-----BEGIN CERTIFICATE REQUEST-----\n${body}`), 400, /PEM, .* base64 is needed/)
  refused(t, await enrol({ ...PKCS10, ...BASIC }, '*'), 400, /not base64/)
  refused(t, await enrol({ ...PKCS10, ...BASIC }, ''), 400, /empty/)
  refused(t, await est.ask(`${EST}/simplereenroll`, { headers: PKCS10, body }), 403, /needs a client certificate, the connection has none/)
})

test.serial('a body over the limit is refused before it is read, and while it is read when it did not say so', async (t) => {
  const est = await Enrolment.start(t)
  const announced = await est.raw((socket) => socket.write(`${HEAD}Content-Length: 16385\r\n\r\n`))
  t.regex(announced, /^HTTP\/1\.1 413 [\s\S]*larger than 16384 bytes/)
  const chunk = `1000\r\n${'A'.repeat(4096)}\r\n`
  const chunked = await est.raw((socket) => socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(5)}`))
  t.regex(chunked, /^HTTP\/1\.1 413 /)
  // All of it on its way: the answer still arrives.
  const body = 'A'.repeat(200_000)
  refused(t, await est.ask(`${EST}/simpleenroll`, { headers: { ...PKCS10, ...BASIC }, body }), 413, /larger than 16384 bytes/)
  const asksFirst = await est.raw((socket) => socket.write(`${HEAD}Expect: 100-continue\r\nContent-Length: 99999\r\n\r\n`))
  t.regex(asksFirst, /^HTTP\/1\.1 413 /, 'no "100 Continue" for it')
})

test.serial('requests, bodies and handshakes that do not come to an end are ended', async (t) => {
  const est = await Enrolment.start(t)
  const since = performance.now()
  const plain = new Promise<void>((resolve) => {
    const socket = net.connect(est.port, '127.0.0.1')
    socket.on('close', () => resolve()).on('error', () => undefined)
    t.teardown(() => socket.destroy())
  })
  const trickling = (socket: TLSSocket, bytes: string): void => {
    socket.write(bytes)
    const timer = setInterval(() => socket.write('A'), 500)
    socket.on('close', () => clearInterval(timer)).on('error', () => undefined)
  }
  const [silent, headers, body] = await Promise.all([
    est.raw(() => undefined),
    est.raw((socket) => trickling(socket, `GET ${EST}/cacerts HTTP/1.1\r\nHost: `)),
    est.raw((socket) => trickling(socket, `${HEAD}Content-Length: 16000\r\n\r\n`)),
    plain,
  ])
  t.regex(silent, /^HTTP\/1\.1 408 [\s\S]*No request arrived within 10 s/)
  t.regex(headers, /^HTTP\/1\.1 408 /)
  t.regex(body, /^HTTP\/1\.1 408 [\s\S]*body did not arrive within 10 s/)
  t.true(performance.now() - since > 9000)
  t.is((await est.ask(`${EST}/cacerts`)).status, 200)
})

test.serial('what is not HTTP/1.1 is told so', async (t) => {
  const est = await Enrolment.start(t)
  t.regex(await est.raw((socket) => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')), /^HTTP\/1\.1 (400|505) [\s\S]*HTTP\/1\.1\n/)
  t.regex(await est.raw((socket) => socket.write('\0\x01\x02rubbish\r\n\r\n')), /^HTTP\/1\.1 400 /)
  t.regex(await est.raw((socket) => socket.write(`GET ${EST}/cacerts HTTP/1.0\r\n\r\n`)), /^HTTP\/1\.1 505 /)
  t.regex(
    await est.raw((socket) => socket.write(`GET / HTTP/1.1\r\nX: ${'a'.repeat(9000)}\r\n\r\n`)),
    /^HTTP\/1\.1 431 [\s\S]*larger than 8192 bytes/,
  )
  const twoLengths = `${HEAD}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
  t.regex(await est.raw((socket) => socket.write(twoLengths)), /^HTTP\/1\.1 400 /)
  await t.throwsAsync(
    est.raw(() => undefined, { ALPNProtocols: ['h2'] }),
    { message: /application.protocol/i },
  )
  await t.throwsAsync(est.raw(() => undefined, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' }))
  t.is((await est.ask(`${EST}/cacerts`)).status, 200)
})

test.serial('no session can be resumed, and the root is in the chain', async (t) => {
  const est = await Enrolment.start(t)
  const request = `GET ${EST}/csrattrs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    let session: Buffer | undefined
    const first = await est.raw(
      (socket) => {
        socket.on('session', (given) => {
          session = given
        })
        session = socket.getSession()
        socket.write(request)
      },
      { maxVersion },
    )
    t.regex(first, /^HTTP\/1\.1 200 /)
    t.truthy(session)
    await est.raw(
      (socket) => {
        t.false(socket.isSessionReused(), maxVersion)
        socket.destroy()
      },
      { maxVersion, session: session! },
    )
  }
  // A client that trusts nothing yet finds the root in what the server sent: none of it is its own.
  const untrusting = await est.raw(
    (socket) => {
      let one = socket.getPeerCertificate(true)
      while (one.issuerCertificate !== undefined && one.issuerCertificate !== one) one = one.issuerCertificate
      t.is(one.subject.CN, 'Test Logs Root')
      socket.destroy()
    },
    { ca: [], rejectUnauthorized: false },
  )
  t.is(untrusting, '')
})

test.serial('connections from one address have a limit, and make room when they end', async (t) => {
  const est = await Enrolment.start(t)
  const sockets: net.Socket[] = []
  let closed = 0
  for (let i = 0; i < 260; i++) {
    const socket = net.connect(est.port, '127.0.0.1')
    socket.on('error', () => undefined).on('close', () => closed++)
    sockets.push(socket)
  }
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  await eventually('the connections over the limit to be closed', () => closed >= 4)
  await est.server.event('connection-refused')
  t.is(closed, 4)
  for (const socket of sockets) socket.destroy()
  await eventually('room', () =>
    est.ask(`${EST}/csrattrs`).then(
      ({ status }) => status === 200,
      () => false,
    ),
  )
})

test.serial('an address that asks without a pause is told to wait', async (t) => {
  const est = await Enrolment.start(t)
  const request = `GET ${EST}/csrattrs HTTP/1.1\r\nHost: localhost\r\n\r\n`
  const last = `GET ${EST}/csrattrs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`
  const flood = await Promise.all(Array.from({ length: 10 }, () => est.raw((socket) => socket.write(request.repeat(60) + last))))
  const answers = flood.join('')
  t.true((answers.match(/HTTP\/1\.1 200 /g) ?? []).length >= 200)
  t.regex(answers, /HTTP\/1\.1 429 [\s\S]*Retry-After: 1\r\n/)
  await eventually('to be served again', () => est.ask(`${EST}/csrattrs`).then(({ status }) => status === 200))
})

test.serial('stops in order on SIGTERM, and answers what it was asked before', async (t) => {
  const est = await Enrolment.start(t)
  const idle = est.raw(() => undefined)
  const asked = est.ask(`${EST}/cacerts`)
  t.is((await asked).status, 200)
  t.deepEqual(await est.server.end('SIGTERM'), { code: 0, signal: null })
  await idle
  t.regex(est.server.said, /info stopped: Stopped in order/)
})

test.serial('what cannot be served is said at the start, with a remedy', async (t) => {
  const est = await Enrolment.start(t)
  const serve = (...args: string[]) => loghop('pki', 'serve', '--directory', est.authority, ...args)
  const [noPort, noName, noLevel, taken, none] = await Promise.all([
    serve('--listen', 'localhost'),
    serve('--listen', '0.0.0.0:0'),
    serve('--listen', '127.0.0.1:0', '--log-level', 'loud'),
    serve('--listen', `127.0.0.1:${est.port}`, '--name', 'localhost'),
    loghop('pki', 'serve', '--directory', `${est.directory}/nothing`, '--listen', '127.0.0.1:0'),
  ])
  t.deepEqual([noPort.code, noName.code, noLevel.code, taken.code, none.code], [64, 64, 64, 1, 1])
  t.regex(noPort.stderr, /^loghop: Cannot listen on "localhost": the port is missing\n {2}Give --listen HOST:PORT/)
  t.regex(noName.stderr, /Cannot serve on 0\.0\.0\.0:0: .*\n {2}Give the name .* --name /)
  t.regex(noLevel.stderr, /--log-level "loud"/)
  t.regex(taken.stderr, new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${est.port}: EADDRINUSE\\n {2}Another program listens there`))
  t.regex(none.stderr, /^loghop: Cannot .*nothing.*\n {2}\S/)
})

test.serial('a second server on the same port ends before it has issued anything', async (t) => {
  const est = await Enrolment.start(t)
  const before = est.acts('issue').length
  const { code, stderr } = await loghop('pki', 'serve', '--directory', est.authority, '--listen', `127.0.0.1:${est.port}`)
  t.is(code, 1)
  t.regex(stderr, /Cannot listen on 127\.0\.0\.1:\d+: EADDRINUSE\n {2}Another program listens there/)
  t.is(est.acts('issue').length, before)
})
