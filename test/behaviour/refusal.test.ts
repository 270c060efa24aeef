import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as tls from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { initAuthority } from '../../pki/init.ts'
import { AGENT_NAME, Chain, RELAY_NAME } from '../support/chain.ts'
import { EXPIRED, makeIdentity, putIdentity, trustAlso } from '../support/identities.ts'
import { sendOne } from '../support/send-one.ts'

/** What a line on a refusal must tell of the certificate in question, beside the check. */
function tellsOf(t: ExecutionContext, line: string, check: RegExp, certificateFile: string): void {
  const certificate = new X509Certificate(fs.readFileSync(certificateFile))
  t.regex(line, check)
  t.true(line.includes(certificate.subject), `the subject is missing: ${line}`)
  t.true(line.includes(certificate.issuer), `the issuer is missing: ${line}`)
  t.true(line.includes(certificate.fingerprint256), `the fingerprint is missing: ${line}`)
  for (const date of [certificate.validFromDate, certificate.validToDate])
    t.true(line.includes(date.toISOString().slice(0, 10)), `the validity is missing: ${line}`)
}

interface Refused {
  /** Which side refuses, and so knows best. */
  readonly by: 'agent' | 'relay'
  readonly check: RegExp
  readonly remedy: RegExp
}

/** Both sides say so in full, nothing is filed, and the agent's spool keeps the message. */
async function refusedOnBothSides(t: ExecutionContext, chain: Chain, { by, check, remedy }: Refused): Promise<void> {
  sendOne(chain, 'kept while refused')
  const [relayLine, agentLine] = await Promise.all([
    chain.relay.waitFor(by === 'relay' ? / warn peer-refused: / : / warn peer-gone: .*refuses our certificate/),
    chain.agent.waitFor(/ warn relay-failed: .*certificate/),
  ])
  const refusedFile = chain.place(by === 'relay' ? 'agent-identity/cert.pem' : 'relay-identity/cert.pem')
  tellsOf(t, relayLine, check, refusedFile)
  tellsOf(t, agentLine, check, refusedFile)
  t.regex(relayLine, /127\.0\.0\.1:\d+/)
  t.true(agentLine.includes(`${chain.dialled}:${chain.port}`))
  t.regex(by === 'relay' ? relayLine : agentLine, remedy)
  t.false(fs.existsSync(chain.logs) && fs.readdirSync(chain.logs).length > 0, 'something was filed')
}

/** The agent does the rest by itself. */
async function deliveredOnceMended(t: ExecutionContext, chain: Chain): Promise<void> {
  const [line] = await chain.lines(1)
  t.regex(line!, /kept while refused$/)
  t.is((await chain.lines(1)).length, 1)
}

async function otherAuthority(chain: Chain): Promise<void> {
  await initAuthority({ directory: chain.place('other-ca'), name: 'Other Logs' }, Date.now())
}

test('an agent of an unknown authority is refused, and delivers once it has an identity of the right one', async (t) => {
  const chain = await Chain.make(t)
  await otherAuthority(chain)
  fs.renameSync(chain.place('agent-identity'), chain.place('right-identity'))
  await chain.issue('agent-identity', { name: AGENT_NAME, role: 'agent' }, 'other-ca')
  trustAlso(chain, 'agent-identity', 'ca')
  await chain.startRelay()
  await chain.startAgent()
  await refusedOnBothSides(t, chain, { by: 'relay', check: /untrusted/, remedy: /Use one certificate authority on both sides/ })
  fs.rmSync(chain.place('agent-identity'), { recursive: true })
  fs.renameSync(chain.place('right-identity'), chain.place('agent-identity'))
  chain.agent.signal('SIGHUP')
  await deliveredOnceMended(t, chain)
})

test('a relay of an unknown authority is refused, and gets the messages once it has an identity of the right one', async (t) => {
  const chain = await Chain.make(t)
  await otherAuthority(chain)
  fs.renameSync(chain.place('relay-identity'), chain.place('right-identity'))
  await chain.issue('relay-identity', { name: RELAY_NAME, role: 'relay', san: ['127.0.0.1'] }, 'other-ca')
  trustAlso(chain, 'relay-identity', 'ca')
  await chain.startRelay()
  await chain.startAgent()
  await refusedOnBothSides(t, chain, { by: 'agent', check: /untrusted|not trusted/, remedy: /Use one certificate authority on both sides/ })
  fs.rmSync(chain.place('relay-identity'), { recursive: true })
  fs.renameSync(chain.place('right-identity'), chain.place('relay-identity'))
  chain.relay.signal('SIGHUP')
  await deliveredOnceMended(t, chain)
})

test('an expired agent is refused, says so itself, and delivers once its certificate is renewed', async (t) => {
  const chain = await Chain.make(t)
  putIdentity(chain, 'agent-identity', await makeIdentity(chain, EXPIRED))
  await chain.startRelay()
  await chain.startAgent()
  t.regex(await chain.agent.event('identity-expired'), /expired on .*Issue a new identity/)
  await refusedOnBothSides(t, chain, { by: 'relay', check: /expired/, remedy: /Issue a new certificate/ })
  fs.rmSync(chain.place('agent-identity'), { recursive: true })
  await chain.issue('agent-identity', { name: AGENT_NAME, role: 'agent' })
  chain.agent.signal('SIGHUP')
  await deliveredOnceMended(t, chain)
})

test('an expired relay is refused, and gets the messages once its certificate is renewed', async (t) => {
  const chain = await Chain.make(t)
  const relay = { commonName: RELAY_NAME, dnsNames: [RELAY_NAME], addresses: ['127.0.0.1'], uris: ['urn:loghop:role:relay'] }
  putIdentity(chain, 'relay-identity', await makeIdentity(chain, { ...relay, usages: ['clientAuth', 'serverAuth'], ...EXPIRED }))
  await chain.startRelay()
  await chain.startAgent()
  await refusedOnBothSides(t, chain, { by: 'agent', check: /expired/, remedy: /Issue a new certificate/ })
  fs.rmSync(chain.place('relay-identity'), { recursive: true })
  await chain.issue('relay-identity', { name: RELAY_NAME, role: 'relay', san: ['127.0.0.1'] })
  chain.relay.signal('SIGHUP')
  await deliveredOnceMended(t, chain)
})

test('a relay whose certificate does not carry the dialled name is refused, and gets the messages once it does', async (t) => {
  const chain = await Chain.make(t)
  fs.rmSync(chain.place('relay-identity'), { recursive: true })
  await chain.issue('relay-identity', { name: RELAY_NAME, role: 'relay' })
  chain.dialled = 'localhost'
  await chain.startRelay()
  await chain.startAgent()
  const check = /name|dialled/
  await refusedOnBothSides(t, chain, { by: 'agent', check, remedy: /Dial a name the certificate carries.*--san localhost/ })
  t.regex(await chain.agent.event('relay-failed'), /dialled as "localhost", its certificate carries "relay\.example\.com"/)
  fs.rmSync(chain.place('relay-identity'), { recursive: true })
  await chain.issue('relay-identity', { name: RELAY_NAME, role: 'relay', san: ['localhost'] })
  chain.relay.signal('SIGHUP')
  await deliveredOnceMended(t, chain)
})

test('a name that is not permitted is refused, and delivers once the relay permits it', async (t) => {
  const chain = await Chain.make(t)
  chain.relayOptions['listeners'] = [{ clients: { names: ['db01.example.com', '*.other.example.com'] } }]
  await chain.startRelay()
  await chain.startAgent()
  await refusedOnBothSides(t, chain, { by: 'relay', check: /not-permitted/, remedy: /Add the name to clients\.names of the listener/ })
  t.regex(await chain.relay.event('peer-refused'), /this listener admits db01\.example\.com, \*\.other\.example\.com/)
  await chain.relay.end('SIGTERM')
  chain.relayOptions['listeners'] = [{ clients: { names: [AGENT_NAME] } }]
  await chain.startRelay()
  await deliveredOnceMended(t, chain)
})

test("an agent's certificate does not make a relay", async (t) => {
  const chain = await Chain.make(t)
  // Even with the key usage of a server: the role decides.
  const agent = { commonName: 'db01.example.com', dnsNames: ['db01.example.com'], addresses: ['127.0.0.1'] }
  putIdentity(chain, 'relay-identity', await makeIdentity(chain, { ...agent, usages: ['clientAuth', 'serverAuth'] }))
  await chain.startRelay()
  await chain.startAgent()
  await refusedOnBothSides(t, chain, { by: 'agent', check: /purpose|certificate of an agent/, remedy: /--role relay/ })
  fs.rmSync(chain.place('relay-identity'), { recursive: true })
  await chain.issue('relay-identity', { name: RELAY_NAME, role: 'relay', san: ['127.0.0.1'] })
  chain.relay.signal('SIGHUP')
  await deliveredOnceMended(t, chain)
})

test("a certificate that is not for clients is refused as an agent's", async (t) => {
  const chain = await Chain.make(t)
  putIdentity(chain, 'agent-identity', await makeIdentity(chain, { usages: ['serverAuth'] }))
  await chain.startRelay()
  await chain.startAgent()
  await refusedOnBothSides(t, chain, { by: 'relay', check: /purpose/, remedy: /Issue it for the right role/ })
  fs.rmSync(chain.place('agent-identity'), { recursive: true })
  await chain.issue('agent-identity', { name: AGENT_NAME, role: 'agent' })
  chain.agent.signal('SIGHUP')
  await deliveredOnceMended(t, chain)
})

/** Connects as any program could, and resolves with what the relay said until it closed. */
function dial(chain: Chain, options: tls.ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    let said = ''
    const socket = tls.connect({ host: '127.0.0.1', port: chain.port, rejectUnauthorized: false, ...options })
    socket.on('secureConnect', () => socket.write('1 open 44 relp_version=0\nrelp_software=x\ncommands=syslog\n'))
    socket.on('data', (chunk) => {
      said += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(said))
  })
}

test('a client without a certificate is refused and told so, nothing it sent is read', async (t) => {
  const chain = await Chain.make(t)
  await chain.startRelay()
  t.is(await dial(chain, {}), '0 serverclose 22 refused=no-certificate\n')
  const line = await chain.relay.event('peer-refused')
  t.regex(line, /Refused 127\.0\.0\.1:\d+: peer presented no certificate, one is required\. Give the peer an identity/)
  t.regex(line, /check=no-certificate/)
  t.false(fs.existsSync(chain.logs) && fs.readdirSync(chain.logs).length > 0)
})

test('what is no TLS, or an old one, is refused with a line that says what is needed', async (t) => {
  const chain = await Chain.make(t)
  await chain.startRelay()
  await dial(chain, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' })
  t.regex(
    await chain.relay.event('peer-refused'),
    /Refused 127\.0\.0\.1:\d+: TLS handshake failed: .*It needs TLS 1\.2 or newer and a client certificate/,
  )
})

test('no session is resumed: each connection is judged anew', async (t) => {
  const chain = await Chain.make(t)
  await chain.startRelay()
  const { key, cert } = await makeIdentity(chain, {})
  const tickets: Buffer[] = []
  await new Promise<void>((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port: chain.port, rejectUnauthorized: false, key, cert })
    socket.on('session', (session) => tickets.push(session))
    socket.on('secureConnect', () => socket.write('1 open 44 relp_version=0\nrelp_software=x\ncommands=syslog\n'))
    socket.once('data', () => socket.end())
    socket.on('close', () => resolve())
  })
  t.is(tickets.length, 0)
})
