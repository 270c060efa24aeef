import { type Command, InvalidArgumentError } from 'commander'
import { dayOf } from '../core/transport/certificate.ts'

// The package that makes the certificate is loaded when the command runs: the daemons start without it.

interface NewOptions {
  role?: string
  days?: number
  directory: string
}

function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('A whole number is needed.')
  return Number(text)
}

async function makeNew(name: string, options: NewOptions): Promise<void> {
  const { makeSelfSignedIdentity } = await import('../core/identity/self-signed.ts')
  const made = await makeSelfSignedIdentity({ name, ...options }, Date.now())
  const { facts } = made
  const pin = facts.certificateSha256
  const listens = facts.role !== 'agent'
  const lines = [
    `Made a self-signed identity for ${made.name} in ${made.directory}; its key was made here and is nowhere else`,
    `  role        ${facts.role ?? 'none: it may listen and send'}`,
    `  valid to    ${dayOf(facts.validTo)}; nothing renews it: make a new one before, and give its pin to the other side`,
    `  pin         ${pin}`,
    `              of the certificate (RFC 5425 section 4.2.2)`,
    `  key pin     ${facts.publicKeySha256}`,
    '              of the public key; enough where a relay is dialled, not for a client: a key can sign any name',
    '',
    'Compare the pin over a channel you trust, such as the telephone. Then, on the other side:',
    ...(facts.role === 'relay' ? [] : ['  to admit it, in relay.yaml, at the listener:', `    clients: { pins: ["${pin}"] }`]),
    ...(listens ? ['  to send to it, in agent.yaml:', `    relays: [{ address: "${made.name}:6514", pin: "${pin}" }]`] : []),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

const EXAMPLES = `
Examples:
  $ loghop identity new web01.example.com --role agent --directory /var/lib/loghop/identity
  $ loghop identity new loghost.example.com --role relay --directory /var/lib/loghop/identity

For two hosts that know each other by pins, without a certificate authority (RFC 5425 sections 4.2.1 and 5.1). It speaks for its own name alone;
for more hosts, or relays that pass on what others send, make an authority: loghop pki init.`

/** Adds `identity new`. Its failures are LoghopErrors, for the caller to print. */
export function registerIdentityNew(identity: Command): void {
  identity
    .command('new')
    .description('make a self-signed identity, for two hosts that pin each other')
    .argument('<name>', 'full name of this host; its messages are filed under it')
    .requiredOption('--directory <dir>', 'where to put the identity; must not exist yet')
    .option('--role <role>', 'agent (sends) or relay (receives); default: either')
    .option('--days <n>', 'days until it expires, 1 to 3650 (default: 1095)', wholeNumber)
    .addHelpText('after', EXAMPLES)
    .action(makeNew)
}
