// From a token to a running daemon, between real processes; each refusal shows its message, and that nothing was installed.

import * as fs from 'node:fs'
import * as net from 'node:net'
import * as path from 'node:path'
import * as tls from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { agentOptions } from '../../agent/options.ts'
import { loadConfiguration } from '../../core/base/configuration.ts'
import { loadIdentity } from '../../core/identity/identity.ts'
import { formatToken, parseToken, type Token } from '../../core/identity/token.ts'
import { relayOptions } from '../../relay/options.ts'
import { AGENT_NAME, RELAY_NAME } from '../support/chain.ts'
import { loghop, loghopWith } from '../support/daemon.ts'
import { Site } from '../support/site.ts'
import { makeIssuer, makeLeaf, makeRoot } from '../unit/pki/made.ts'

function read(token: string): Token {
  const result = parseToken(token)
  if (result.kind === 'malformed') throw new Error(result.reason)
  return result.token
}

async function refuses(
  t: ExecutionContext,
  site: Site,
  role: 'agent' | 'relay',
  token: string,
  text: RegExp,
  ...more: string[]
): Promise<void> {
  const before = site.est.acts('issue').length
  const { code, stdout, stderr } = await site.join(role, token, ...more)
  t.is(code, 1, stdout)
  t.regex(stderr, text)
  t.regex(stderr, /^loghop: .+\n {2}.+\n$/, 'one sentence and one remedy')
  t.false(stderr.includes(token.slice(0, 60)))
  t.is(site.est.acts('issue').length, before, 'a certificate was issued')
}

test.serial('agent join makes key and identity, writes a configuration, and asking again is harmless', async (t) => {
  const site = await Site.make(t)
  const token = await site.token(AGENT_NAME, 'agent')
  const first = await site.join('agent', token, '--relay', 'relay.example.com:6514')
  t.is(first.code, 0, first.stderr)
  t.regex(first.stdout, /^Joined as web01\.example\.com \(agent\)\n.*\n.*authority.*localhost/)
  t.regex(first.stdout, /Next: .*loghop agent run/)
  const directory = site.identity('agent')
  const identity = loadIdentity(directory)
  t.is(identity.name, AGENT_NAME)
  t.is(identity.role, 'agent')
  t.is(identity.authority, `localhost:${site.est.port}`)
  t.is(fs.statSync(path.join(directory, 'key.pem')).mode & 0o777, 0o600)
  t.is(fs.statSync(directory).mode & 0o777, 0o700)
  t.deepEqual(fs.readdirSync(directory).sort(), ['authority', 'ca.pem', 'cert.pem', 'key.pem', 'lock'])
  const options = loadConfiguration(site.place('agent-made.yaml'), agentOptions)
  t.is(options.identity, directory)
  t.is(options.relays[0]!.address.host, 'relay.example.com')

  fs.appendFileSync(site.place('agent-made.yaml'), '# mine\n')
  const again = await site.join('agent', token)
  t.is(again.code, 0, again.stderr)
  t.regex(again.stdout, /has joined as web01\.example\.com \(agent\) before; nothing was changed/)
  t.is(loadIdentity(directory).cert, identity.cert)
  t.regex(fs.readFileSync(site.place('agent-made.yaml'), 'utf8'), /# mine\n$/)
  t.is(site.est.acts('issue').filter(({ name }) => name === AGENT_NAME).length, 1)

  // Another host with the same token, that is, another key.
  fs.renameSync(directory, `${directory}.first`)
  await refuses(t, site, 'agent', token, /the invitation was used on 20.* by web01\.example\.com@.*127\.0\.0\.1.*with another key/)
  const used = /the invitation was used on 20\S+Z by web01\.example\.com@127\.0\.0\.1:\d+, with another key/
  t.regex(await site.est.server.event('enrolment-refused'), used)
  const [refused] = site.est.acts('refuse')
  t.regex(String(refused!['reason']), used)
  t.regex(String(refused!['by']), /^web01\.example\.com@127\.0\.0\.1:\d+$/)
})

test.serial('an answer that was lost strands nobody: the same key is asked for again', async (t) => {
  const site = await Site.make(t)
  const token = await site.token(AGENT_NAME, 'agent')
  const first = await site.join('agent', token)
  t.is(first.code, 0, first.stderr)
  const directory = site.identity('agent')
  const { key, cert } = loadIdentity(directory)
  // As a crash before the installation leaves it.
  for (const name of ['key.pem', 'cert.pem', 'ca.pem', 'authority']) fs.unlinkSync(path.join(directory, name))
  fs.writeFileSync(path.join(directory, 'pending.key.pem'), key, { mode: 0o600 })
  const again = await site.join('agent', token)
  t.is(again.code, 0, again.stderr)
  t.is(loadIdentity(directory).cert, cert)
  t.false(fs.existsSync(path.join(directory, 'pending.key.pem')))
})

test.serial('relay join writes a configuration that the relay takes', async (t) => {
  const site = await Site.make(t)
  const { code, stderr } = await site.join('relay', await site.token(RELAY_NAME, 'relay'), '--forward', 'central.example.com:6514')
  t.is(code, 0, stderr)
  t.is(loadIdentity(site.identity('relay')).role, 'relay')
  t.is(loadConfiguration(site.place('relay-made.yaml'), relayOptions).destinations.length, 2)
})

test.serial('join says what is wrong with a token or a server, and installs nothing', async (t) => {
  const site = await Site.make(t)
  const token = await site.token(AGENT_NAME, 'agent')
  const typo = `${token.slice(0, 40)}${token[40] === 'A' ? 'B' : 'A'}${token.slice(41)}`
  await refuses(t, site, 'agent', typo, /its checksum does not fit/)
  await refuses(t, site, 'agent', token.slice(0, -5), /checksum does not fit/)
  await refuses(t, site, 'relay', token, /Cannot join as relay: the token is for the agent web01/)
  const parts = read(token)
  await refuses(t, site, 'agent', formatToken({ ...parts, expiresSeconds: 1000 }), /the token expired on 1970/)
  await refuses(
    t,
    site,
    'agent',
    formatToken({ ...parts, rootSpki: 'ab'.repeat(32) }),
    /is not the one that made the token.*Nothing was sent/,
  )
  t.deepEqual(site.est.acts('refuse'), [], 'the server was asked')
  await refuses(
    t,
    site,
    'agent',
    formatToken({ ...parts, server: `127.0.0.2:${site.est.port}` }),
    /Cannot reach the authority 127\.0\.0\.2:\d+: /,
  )
  await refuses(t, site, 'agent', formatToken({ ...parts, secret: 'A'.repeat(27) }), /the secret is not that of any invitation/)
  await refuses(t, site, 'agent', token, /the token is for web01\.example\.com/, '--name', 'web02.example.com')
  t.false(fs.existsSync(path.join(site.identity('agent'), 'cert.pem')))
  t.false(fs.existsSync(site.place('agent-made.yaml')))
  const fleet = await site.token('*.example.com', 'agent', { uses: 2 })
  await refuses(t, site, 'agent', fleet, /Cannot join as web01\.other\.org/, '--name', 'web01.other.org')
  const { code, stderr } = await site.join('agent', fleet, '--name', 'web07.example.com')
  t.is(code, 0, stderr)
  t.is(loadIdentity(site.identity('agent')).name, 'web07.example.com')
})

test.serial(
  'a server that shows the right root and has another key is refused, whatever the environment says, and learns nothing',
  async (t) => {
    const site = await Site.make(t)
    const token = await site.token(AGENT_NAME, 'agent')
    const stranger = await makeLeaf(await makeIssuer(await makeRoot('Test Logs Root')), { dnsNames: ['localhost'], usages: ['serverAuth'] })
    let heard = 0
    const server = tls.createServer({ key: stranger.keyPem, cert: stranger.pem + site.est.ca }, (socket) => {
      socket.on('data', (bytes) => {
        heard += bytes.length
      })
      socket.on('error', () => undefined)
    })
    server.on('tlsClientError', () => undefined)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => server.close())
    const { port } = server.address() as { port: number }
    const bent = formatToken({ ...read(token), server: `localhost:${port}` })
    for (const variables of [{}, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }]) {
      const directories = ['--directory', site.identity('agent'), '--config', site.place('agent-made.yaml')]
      const { code, stderr } = await loghopWith(variables, 'agent', 'join', bent, ...directories)
      t.is(code, 1)
      t.regex(stderr, /The server at localhost:\d+ is not the (?:authority we trust|one that made the token): /)
      t.is(heard, 0, 'something was sent to it')
      t.false(fs.existsSync(path.join(site.identity('agent'), 'cert.pem')))
    }
    t.deepEqual(
      site.est.acts('issue').filter(({ role }) => role !== 'authority'),
      [],
    )
  },
)

test('no option of join turns the check of the server off', async (t) => {
  for (const role of ['agent', 'relay']) {
    const { stdout } = await loghop(role, 'join', '--help')
    const options = [...stdout.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map(([, name]) => name)
    t.deepEqual(options.sort(), ['--config', '--directory', '--help', '--name', role === 'agent' ? '--relay' : '--forward'].sort())
  }
})

test.serial('a certificate of another time is not installed: the clock of the authority is wrong, or ours', async (t) => {
  const site = await Site.make(t)
  const token = await site.token(AGENT_NAME, 'agent', { days: 10 })
  site.est.jump(-20 * 86_400_000)
  const { code, stderr } = await site.join('agent', token)
  t.is(code, 1)
  t.regex(stderr, /its certificate is valid from \S+ to \S+, the clock here says \S+\n {2}Set the clock that is wrong, here or there\n$/)
  t.false(fs.existsSync(path.join(site.identity('agent'), 'cert.pem')))
})

test.serial('the token of a join under way is not in the list of processes', async (t) => {
  const site = await Site.make(t)
  // Takes connections, and says nothing: the join waits.
  const silent = net.createServer()
  await new Promise<void>((resolve) => silent.listen(0, 'localhost', resolve))
  t.teardown(() => silent.close())
  const dialled = new Promise<net.Socket>((resolve) => silent.once('connection', resolve))
  const { port } = silent.address() as net.AddressInfo
  const token = await site.token(AGENT_NAME, 'agent', { server: `localhost:${port}` })
  const joining = site.join('agent', token)
  const socket = await dialled
  const lines = fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((process) => {
      try {
        return fs.readFileSync(`/proc/${process}/cmdline`, 'utf8')
      } catch {
        return ''
      }
    })
  t.true(lines.some((line) => line.includes('loghop agent join')))
  t.false(lines.some((line) => line.includes(token)))
  socket.destroy()
  t.is((await joining).code, 1)
})
