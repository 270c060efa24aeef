// Identities that another authority made, here openssl's commands, through agent and relay: what works without any of ours, and what is refused and why.

import * as fs from 'node:fs'
import * as tls from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { AGENT_NAME, Chain, RELAY_NAME } from '../support/chain.ts'
import { loghop } from '../support/daemon.ts'
import { sendOne } from '../support/send-one.ts'
import { type KeyKind, OpensslAuthority } from './openssl-authority.ts'

const RELAY_NAMES = [`subjectAltName=DNS:${RELAY_NAME},DNS:localhost,IP:127.0.0.1`]
const RELAY_EXTENSIONS = [...RELAY_NAMES, 'extendedKeyUsage=serverAuth,clientAuth']

/** Nothing of our own authority is left; relay and agent have identities of the other one. */
async function withOther(
  t: ExecutionContext,
  kind: KeyKind,
  hasIntermediate: boolean,
): Promise<{ chain: Chain; authority: OpensslAuthority }> {
  const chain = await Chain.make(t)
  fs.rmSync(chain.place('ca'), { recursive: true })
  const authority = new OpensslAuthority(chain.place('other'), kind, hasIntermediate)
  authority.makeIdentity(chain.place('relay-identity'), { name: RELAY_NAME, extensions: RELAY_EXTENSIONS })
  authority.makeIdentity(chain.place('agent-identity'), { name: AGENT_NAME })
  return { chain, authority }
}

async function delivered(t: ExecutionContext, chain: Chain): Promise<void> {
  await chain.startRelay()
  await chain.startAgent()
  sendOne(chain, 'vouched for by others')
  t.regex((await chain.lines(1))[0]!, /^\S+ web01\.example\.com .*vouched for by others$/)
}

for (const [kind, hasIntermediate] of [
  ['rsa', true],
  ['ec', true],
  ['ec', false],
] as const) {
  test.serial(`${kind} identities of openssl ${hasIntermediate ? 'with an intermediate' : 'right below the root'} deliver`, async (t) => {
    const { chain } = await withOther(t, kind, hasIntermediate)
    await delivered(t, chain)
    const shown = await loghop('identity', 'show', chain.place('agent-identity'))
    t.is(shown.code, 0, shown.stderr)
    t.regex(shown.stdout, /Other (?:Issuer|Root)/)
  })
}

test.serial('certificates without extended key usage are for any use, as RFC 5280 has it', async (t) => {
  const { chain, authority } = await withOther(t, 'ec', true)
  authority.makeIdentity(chain.place('relay-identity'), { name: RELAY_NAME, extensions: RELAY_NAMES })
  authority.makeIdentity(chain.place('agent-identity'), { name: AGENT_NAME, extensions: [`subjectAltName=DNS:${AGENT_NAME}`] })
  await delivered(t, chain)
})

test.serial('a certificate that is for servers alone makes no agent', async (t) => {
  const { chain, authority } = await withOther(t, 'ec', true)
  const extensions = [`subjectAltName=DNS:${AGENT_NAME}`, 'extendedKeyUsage=serverAuth']
  authority.makeIdentity(chain.place('agent-identity'), { name: AGENT_NAME, extensions })
  await chain.startRelay()
  await chain.startAgent()
  t.regex(await chain.relay.event('peer-refused'), /its extended key usage lacks clientAuth/)
  t.regex(await chain.agent.event('relay-failed'), /refuses our certificate/)
})

/** Connects as a foreign sender would. @returns what the relay said until it closed */
function dial(chain: Chain, identity: string): Promise<string> {
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => fs.readFileSync(`${identity}/${name}`))
  return new Promise((resolve) => {
    let said = ''
    const socket = tls.connect({ host: '127.0.0.1', port: chain.port, rejectUnauthorized: false, key, cert })
    socket.on('secureConnect', () => socket.write('1 open 44 relp_version=0\nrelp_software=x\ncommands=syslog\n'))
    socket.on('data', (chunk) => {
      said += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(said))
  })
}

test.serial('a certificate with a common name and no names is refused: at home by every command, as a peer by the relay', async (t) => {
  const { chain, authority } = await withOther(t, 'ec', true)
  authority.makeIdentity(chain.place('agent-identity'), { name: AGENT_NAME, extensions: ['extendedKeyUsage=clientAuth'] })
  chain.port = 1
  for (const argv of [
    ['identity', 'show', chain.place('agent-identity')],
    ['agent', 'run', '--config', chain.agentConfig],
  ]) {
    const ended = await loghop(...argv)
    t.not(ended.code, 0)
    t.regex(ended.stderr, /carries no host name as DNS subjectAltName \(the common name does not count\)/)
  }
  chain.port = 0
  await chain.startRelay()
  await dial(chain, chain.place('agent-identity'))
  const line = await chain.relay.event('peer-refused')
  t.regex(line, /certificate carries no dNSName in subjectAltName, a host name is needed there \(the common name does not count\)/)
  t.regex(line, /Issue the certificate with the name of the host as a DNS subjectAltName/)
})

test.serial('a crl.pem of the other authority is used: who is on it is refused, everyone else delivers', async (t) => {
  const { chain, authority } = await withOther(t, 'ec', true)
  fs.writeFileSync(chain.place('relay-identity/crl.pem'), authority.revocationLists([]))
  await delivered(t, chain)
  await chain.agent.end('SIGTERM')
  fs.writeFileSync(chain.place('relay-identity/crl.pem'), authority.revocationLists([AGENT_NAME]))
  await chain.relay.end('SIGTERM')
  await chain.startRelay()
  await chain.startAgent()
  t.regex(await chain.relay.event('peer-refused'), /check=revoked/)
  t.regex(await chain.agent.event('relay-failed'), /refuses our certificate/)
})

test.serial('an identity without its intermediate is refused with the name of what is missing', async (t) => {
  const { chain } = await withOther(t, 'ec', true)
  const file = chain.place('agent-identity/cert.pem')
  const [leaf] = fs.readFileSync(file, 'utf8').split(/(?<=-----END CERTIFICATE-----\n)/)
  fs.writeFileSync(file, leaf!)
  const shown = await loghop('identity', 'show', chain.place('agent-identity'))
  t.is(shown.code, 1)
  t.regex(
    shown.stderr,
    /does not lead to a root in ca\.pem, its last issuer is O=Other Ltd, CN=Other Issuer\n.*Put the intermediates into cert\.pem/,
  )
})
