// Foreign senders at the relay's door: rsyslog, logger, stunnel, openssl and systemd, each as Debian brings it. Every message is accounted for.

import { execFile, execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { issuerFile, issuerKeyFile } from '../../pki/directory.ts'
import { Chain } from '../support/chain.ts'
import { watched } from '../support/daemon.ts'
import { eventually } from '../support/eventually.ts'
import { fixedPort } from '../support/fixed-port.ts'
import { allArrive, COUNT, feed, NUMBERS, open, start } from '../support/programs.ts'
import { messagesOf, World } from '../unit/destinations/foreign-world.ts'

for (const driver of ['gtls', 'ossl'])
  for (const framing of ['traditional', 'octet-counted'])
    test.serial(`rsyslog's omfwd over TLS, driver ${driver}, framing ${framing}`, async (t) => {
      const chain = await Chain.make(t)
      const identity = await chain.issue('box', { name: 'box7.example.com', role: 'agent' })
      const [port] = await open(chain, { clients: { names: ['*.example.com'] } })
      const socket = chain.place('in')
      fs.writeFileSync(
        chain.place('rsyslog.conf'),
        `global(DefaultNetstreamDriver="${driver}" DefaultNetstreamDriverCAFile="${identity}/ca.pem"
  DefaultNetstreamDriverCertFile="${identity}/cert.pem" DefaultNetstreamDriverKeyFile="${identity}/key.pem")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${socket}" CreatePath="off" RateLimit.Interval="0")
action(type="omfwd" target="127.0.0.1" port="${port}" protocol="tcp" TCP_Framing="${framing}" StreamDriver="${driver}" StreamDriverMode="1"
  StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="relay.example.com" template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1")
`,
      )
      const rsyslog = start(t, '/usr/sbin/rsyslogd', ['-n', '-f', chain.place('rsyslog.conf'), '-i', chain.place('pid')])
      await feed(socket, rsyslog)
      await allArrive(t, chain, 'box7.example.com')
    })

for (const [name, args] of [
  ['TCP, lines', ['--tcp']],
  ['TCP, lines, RFC 3164', ['--tcp', '--rfc3164']],
  ['TCP, octet counting', ['--tcp', '--octet-count']],
  ['TCP, octet counting, RFC 3164', ['--tcp', '--octet-count', '--rfc3164']],
  ['UDP', ['--udp']],
  ['UDP, RFC 3164', ['--udp', '--rfc3164']],
] as const)
  test.serial(`logger over ${name}`, async (t) => {
    const chain = await Chain.make(t)
    const listener = { name: 'here.example.com' }
    const [tcp, udp] = await open(chain, { tcp: '127.0.0.1:0', ...listener }, { udp: '127.0.0.1:0', ...listener })
    const isUdp = args.includes('--udp' as never)
    const port = String(isUdp ? udp : tcp)
    // A sender over UDP is not told to wait: it goes on as the messages arrive.
    const step = isUdp ? 200 : COUNT
    for (let from = 0; from < COUNT; from += step) {
      const input = NUMBERS.slice(from, from + step)
        .map((index) => `number ${index}`)
        .join('\n')
      execFileSync('logger', ['-n', '127.0.0.1', '-P', port, '-t', 'bulk', ...args], { input })
      const file = path.join(chain.logs, 'here.example.com/messages')
      if (isUdp) await chain.lines(from + step, file)
    }
    await allArrive(t, chain, 'here.example.com')
  })

test.serial(
  'stunnel in front: a plain sender elsewhere, TLS on the way, the tcp listener on loopback here, and who it was by PROXY header',
  async (t) => {
    const chain = await Chain.make(t)
    const server = await chain.issue('stunnel-server', { name: 'tunnel.example.com', role: 'relay', san: ['127.0.0.1'] })
    const client = await chain.issue('stunnel-client', { name: 'box7.example.com', role: 'agent' })
    const [port] = await open(chain, { tcp: '127.0.0.1:0', name: 'tunnelled.example.com', proxy: ['127.0.0.1'] })
    const [outside, inside] = [await fixedPort(), await fixedPort()]
    const common = `foreground = yes\npid =\n`
    const files = (identity: string): string => `cert = ${identity}/cert.pem\nkey = ${identity}/key.pem\nCAfile = ${identity}/ca.pem\n`
    fs.writeFileSync(
      chain.place('server.conf'),
      `${common}[in]\naccept = 127.0.0.1:${outside}\nconnect = 127.0.0.1:${port}\nverifyChain = yes\nprotocol = proxy\n${files(server)}`,
    )
    fs.writeFileSync(
      chain.place('client.conf'),
      `${common}[out]\nclient = yes\naccept = 127.0.0.1:${inside}\nconnect = 127.0.0.1:${outside}\nverifyChain = yes\n${files(client)}`,
    )
    const running = [start(t, 'stunnel', [chain.place('server.conf')]), start(t, 'stunnel', [chain.place('client.conf')])]
    await eventually('stunnel', () => running.every(({ said }) => said.includes('Configuration successful')))
    const input = NUMBERS.map((index) => `number ${index}`).join('\n')
    execFileSync('logger', ['-n', '127.0.0.1', '-P', String(inside), '--tcp', '--octet-count', '-t', 'bulk'], { input })
    await allArrive(t, chain, 'tunnelled.example.com')
  },
)

test.serial('stunnel behind: a plain sender through stunnel with a certificate of its own, to the tls listener', async (t) => {
  const chain = await Chain.make(t)
  const client = await chain.issue('stunnel-client', { name: 'box7.example.com', role: 'agent' })
  const [port] = await open(chain, { clients: { names: ['*.example.com'] } })
  const inside = await fixedPort()
  fs.writeFileSync(
    chain.place('client.conf'),
    `foreground = yes\npid =\n[out]\nclient = yes\naccept = 127.0.0.1:${inside}\nconnect = 127.0.0.1:${port}\nverifyChain = yes
cert = ${client}/cert.pem\nkey = ${client}/key.pem\nCAfile = ${client}/ca.pem\n`,
  )
  const running = start(t, 'stunnel', [chain.place('client.conf')])
  await eventually('stunnel', () => running.said.includes('Configuration successful'))
  execFileSync('logger', ['-n', '127.0.0.1', '-P', String(inside), '--tcp', '-t', 'bulk'], {
    input: NUMBERS.map((index) => `number ${index}`).join('\n'),
  })
  await allArrive(t, chain, 'box7.example.com')
})

test.serial('stunnel behind us: our forward in plain to stunnel on this host, which carries it to a tls listener', async (t) => {
  const chain = await Chain.make(t)
  const client = await chain.issue('stunnel-client', { name: 'box7.example.com', role: 'agent' })
  const [port] = await open(chain, { clients: { names: ['*.example.com'] } })
  const inside = await fixedPort()
  fs.writeFileSync(
    chain.place('client.conf'),
    `foreground = yes\npid =\n[out]\nclient = yes\naccept = 127.0.0.1:${inside}\nconnect = 127.0.0.1:${port}\nverifyChain = yes
cert = ${client}/cert.pem\nkey = ${client}/key.pem\nCAfile = ${client}/ca.pem\n`,
  )
  const running = start(t, 'stunnel', [chain.place('client.conf')])
  await eventually('stunnel', () => running.said.includes('Configuration successful'))
  const world = new World(t)
  await world.store(messagesOf(COUNT))
  const destination = world.start(t, 'tcp', { ports: [inside] })
  await allArrive(t, chain, 'box7.example.com')
  await destination.stop(AbortSignal.timeout(10_000))
  t.is(destination.status()['lag_bytes'], 0)
})

/** A relay's identity with an RSA key, made by openssl under the chain's authority. */
function makeRsaRelay(chain: Chain): void {
  const identity = chain.place('relay-identity')
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' })
  openssl(
    'req',
    '-new',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    `${identity}/key.pem`,
    '-subj',
    '/CN=relay.example.com',
    '-out',
    chain.place('rsa.csr'),
  )
  fs.writeFileSync(
    chain.place('rsa.ext'),
    'subjectAltName=DNS:relay.example.com,IP:127.0.0.1,URI:urn:loghop:role:relay\nextendedKeyUsage=serverAuth,clientAuth\nkeyUsage=digitalSignature\nauthorityKeyIdentifier=keyid\n',
  )
  const [issuer, key] = [chain.place(`ca/${issuerFile(1)}`), chain.place(`ca/${issuerKeyFile(1)}`)]
  openssl(
    'x509',
    '-req',
    '-in',
    chain.place('rsa.csr'),
    '-CA',
    issuer,
    '-CAkey',
    key,
    '-days',
    '2',
    '-extfile',
    chain.place('rsa.ext'),
    '-out',
    chain.place('rsa.pem'),
  )
  fs.writeFileSync(`${identity}/cert.pem`, fs.readFileSync(chain.place('rsa.pem'), 'utf8') + fs.readFileSync(issuer, 'utf8'))
  fs.chmodSync(`${identity}/key.pem`, 0o600)
}

test.serial(
  'RFC 9662 section 4: TLS 1.2 with ECDHE-RSA-AES128-GCM-SHA256 alone, by openssl, to a relay with an RSA certificate',
  async (t) => {
    const chain = await Chain.make(t)
    makeRsaRelay(chain)
    const identity = await chain.issue('box', { name: 'box7.example.com', role: 'agent' })
    const [port] = await open(chain, { clients: { names: ['*.example.com'] } })
    const files = [
      '-cert',
      `${identity}/cert.pem`,
      '-cert_chain',
      `${identity}/cert.pem`,
      '-key',
      `${identity}/key.pem`,
      '-CAfile',
      `${identity}/ca.pem`,
      '-verify_return_error',
    ]
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256', '-nocommands', ...files]
    const child = execFile('openssl', args, { maxBuffer: 1 << 24 })
    void watched(t, child)
    for (const index of NUMBERS) child.stdin!.write(`<13>1 - - bulk - - - number ${index}\n`)
    await allArrive(t, chain, 'box7.example.com')
    child.kill()
  },
)

test.serial('openssl without a certificate is refused, and told so', async (t) => {
  const chain = await Chain.make(t)
  const [port] = await open(chain, { clients: { names: ['*.example.com'] } })
  const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-quiet', '-nocommands'])
  void watched(t, child)
  let said = ''
  child.stdout!.on('data', (text: string) => {
    said += text
  })
  await new Promise((resolve) => child.once('close', resolve))
  t.true(said.includes('refused=no-certificate'))
  t.regex(await chain.relay.event('peer-refused'), /presented no certificate/)
})

test.serial('systemd passes the sockets: stream and TLS', async (t) => {
  const chain = await Chain.make(t)
  const [tcp, second] = [await fixedPort(), await fixedPort()]
  chain.relayOptions['listeners'] = [
    { tcp: 'systemd:plain', name: 'here.example.com' },
    { tls: 'systemd:tls', clients: { names: ['*.example.com'] } },
  ]
  const entry = new URL('../../cli/loghop.js', import.meta.url).pathname
  const run = [
    '-l',
    `127.0.0.1:${tcp}`,
    '-l',
    `127.0.0.1:${second}`,
    '--fdname=plain:tls',
    process.execPath,
    entry,
    'relay',
    'run',
    '--config',
    chain.relayConfig,
  ]
  const relay = start(t, 'systemd-socket-activate', run)
  // The first connection starts the relay, and is served by it.
  await eventually('the socket', () => relay.said.includes('Listening on'))
  execFileSync('logger', ['-n', '127.0.0.1', '-P', String(tcp), '--tcp', '-t', 'bulk', 'through systemd'])
  await eventually(
    'the message',
    () => {
      const file = path.join(chain.logs, 'here.example.com/messages')
      return fs.existsSync(file) && fs.readFileSync(file, 'utf8').includes('through systemd')
    },
    () => relay.said,
    60_000,
  )
  t.true(relay.said.includes(`127.0.0.1:${second}`))
})
