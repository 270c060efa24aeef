import type { Command } from 'commander'
import { printable } from '../core/base/printable.ts'
import { type Identity, loadIdentity } from '../core/identity/identity.ts'
import { identityProblems } from '../core/identity/problems.ts'
import { dayOf } from '../core/transport/certificate.ts'

function roleText(role: Identity['role']): string {
  switch (role) {
    case 'agent':
      return 'agent: it sends its own messages to relays'
    case 'relay':
      return 'relay: it takes messages from others and may send them on'
    case undefined:
      return 'none stated: a certificate of another authority; its extended key usage decides'
    default:
      return role satisfies never
  }
}

/** The explanation of an identity in plain words, line by line; holds no secret. */
export function explainIdentity(identity: Identity, nowMs: number): string[] {
  const { facts } = identity
  const others = [...facts.names, ...facts.addresses].filter((name) => name !== identity.name)
  const publicKeyBase64 = Buffer.from(facts.publicKeySha256.replace('spki-sha256:', ''), 'hex').toString('base64')
  const { authority } = identity
  const problems = identityProblems(identity, nowMs, authority === undefined ? undefined : { authority })
  return [
    `Identity in ${identity.directory}`,
    `  name         ${identity.name}`,
    ...(others.length > 0 ? [`  also         ${printable(others.join(', '), 2000)}`] : []),
    `  role         ${roleText(identity.role)}`,
    `  speaks for   ${facts.speaksFor.length > 0 ? facts.speaksFor.join(', ') : 'itself only'}`,
    `  issued by    ${printable(facts.issuer)}, serial ${facts.serial}`,
    `  valid        ${dayOf(facts.validFrom)} to ${dayOf(facts.validTo)}`,
    `  revocation   ${identity.crl === undefined ? 'no list (crl.pem) here' : 'list in crl.pem'}`,
    `  renewal      ${authority === undefined ? 'not by itself: no authority is kept here' : `by itself, at ${printable(authority)}, while a daemon runs`}`,
    '',
    'Pins, for a peer that should know this host without a certificate authority, or in addition to one:',
    `  certificate  ${facts.certificateSha256}`,
    '               of this very certificate; changes when it is renewed. In relay.yaml: clients: { pins: ["sha-256:..."] }',
    `  public key   ${facts.publicKeySha256}`,
    `               the same in base64: pin-sha256:${publicKeyBase64}`,
    '               of its key; stays when a certificate is renewed for the same key. It pins relays, and clients that an authority vouches for.',
    ...(problems.length > 0 ? [''] : []),
    ...problems.flatMap(({ sentence, remedy }) => [sentence, `  ${remedy}`]),
  ]
}

/** Adds `identity show`. Faults of the directory are LoghopErrors, for the caller to print. */
export function registerIdentity(program: Command): void {
  const identity = program.command('identity').description('who this host is: its key, certificate and trusted authorities')
  identity
    .command('show')
    .description('explain an identity directory, and print its pins')
    .argument('<dir>', 'directory with key.pem, cert.pem, ca.pem and perhaps crl.pem')
    .addHelpText('after', '\nExample:\n  $ loghop identity show /var/lib/loghop/identity')
    .action((directory: string) => {
      process.stdout.write(`${explainIdentity(loadIdentity(directory), Date.now()).join('\n')}\n`)
    })
}
