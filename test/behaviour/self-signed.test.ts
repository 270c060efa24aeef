// Two hosts and no authority: each has made its own identity with "identity new" and knows the other by the line that the command printed.
// RFC 5425 sections 4.2.1 and 5.1.

import * as fs from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { parse } from 'yaml'
import { AGENT_NAME, Chain, RELAY_NAME } from '../support/chain.ts'
import { loghop } from '../support/daemon.ts'
import { sendOne } from '../support/send-one.ts'

interface Printed {
  readonly clients?: { readonly pins: readonly string[] }
  readonly relays?: readonly { readonly address: string; readonly pin: string }[]
}

/** Makes an identity by the command. @returns the lines for the other side's configuration, read as YAML */
async function makeIdentity(t: ExecutionContext, chain: Chain, name: string, role: string, place: string): Promise<Printed> {
  fs.rmSync(chain.place(place), { recursive: true, force: true })
  const made = await loghop('identity', 'new', name, '--role', role, '--directory', chain.place(place))
  t.is(made.code, 0, made.stderr)
  const lines = made.stdout.split('\n').filter((line) => /^ +(clients|relays): /.test(line))
  t.is(lines.length, 1)
  return parse(lines[0]!) as Printed
}

/** Nothing of any authority is left. @returns what each side prints for the other */
async function twoHosts(t: ExecutionContext): Promise<{ chain: Chain; agent: Printed; relay: Printed }> {
  const chain = await Chain.make(t)
  fs.rmSync(chain.place('ca'), { recursive: true })
  const agent = await makeIdentity(t, chain, AGENT_NAME, 'agent', 'agent-identity')
  const relay = await makeIdentity(t, chain, RELAY_NAME, 'relay', 'relay-identity')
  t.is(relay.relays![0]!.address, `${RELAY_NAME}:6514`)
  chain.relayOptions['listeners'] = [agent]
  return { chain, agent, relay }
}

async function startBoth(chain: Chain, relay: Printed): Promise<void> {
  await chain.startRelay()
  chain.agentOptions['relays'] = [{ ...relay.relays![0]!, address: `127.0.0.1:${chain.port}` }]
  await chain.startAgent()
}

test('two self-signed identities deliver, with nothing but the pins that were printed', async (t) => {
  const { chain, relay } = await twoHosts(t)
  await startBoth(chain, relay)
  sendOne(chain, 'by pins alone')
  t.regex((await chain.lines(1))[0]!, /^\S+ web01\.example\.com .*by pins alone$/)
})

test('an agent that the relay has not pinned is refused; both sides say so, and it delivers once its pin is listed', async (t) => {
  const { chain, agent, relay } = await twoHosts(t)
  const other = await makeIdentity(t, chain, AGENT_NAME, 'agent', 'other-identity')
  chain.relayOptions['listeners'] = [other]
  await startBoth(chain, relay)
  sendOne(chain, 'kept while refused')
  // To the relay it is a stranger's certificate, signed by itself: the line must still name the pin to add.
  const refused = await chain.relay.event('peer-refused')
  t.regex(refused, /check=(?:pin|untrusted)/)
  t.true(refused.includes(agent.clients!.pins[0]!), refused)
  t.regex(refused, /list the pin|Add that pin/)
  t.regex(await chain.agent.event('relay-failed'), /refuses our certificate/)
  t.false(fs.existsSync(chain.file))
  await chain.relay.end('SIGTERM')
  chain.relayOptions['listeners'] = [agent]
  await chain.startRelay()
  t.regex((await chain.lines(1))[0]!, /kept while refused$/)
})

test('a relay with another pin is refused; both sides say so, nothing is sent, and it delivers once the right pin is there', async (t) => {
  const { chain, relay } = await twoHosts(t)
  const wrong = await makeIdentity(t, chain, RELAY_NAME, 'relay', 'other-identity')
  await startBoth(chain, wrong)
  sendOne(chain, 'kept while refused')
  const failed = await chain.agent.event('relay-failed')
  t.true(failed.includes(`presented ${relay.relays![0]!.pin}, the pin is ${wrong.relays![0]!.pin}`), failed)
  t.regex(failed, /Ask the person who runs the relay for its pin/)
  t.regex(await chain.relay.event('peer-gone'), /refuses our certificate/)
  t.false(fs.existsSync(chain.file))
  await chain.agent.end('SIGTERM')
  chain.agentOptions['relays'] = [{ ...relay.relays![0]!, address: `127.0.0.1:${chain.port}` }]
  await chain.startAgent()
  t.regex((await chain.lines(1))[0]!, /kept while refused$/)
})
