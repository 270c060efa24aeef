// What may not be invited, asked for or renewed, beside what enrol.test.ts has: each is refused with a sentence, and nothing is issued or written.

import 'reflect-metadata'
import { X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import test from 'ava'
import { LoghopError } from '../../../core/base/errors.ts'
import type { InviteOrder } from '../../../pki/invitations.ts'
import { DAY_MS } from './made.ts'
import { FROM, HOST, MadeAuthority, makeRequest, P256 } from './requests.ts'

const INVITATIONS: readonly [string, Partial<InviteOrder>, RegExp][] = [
  [
    'a pattern without a number of uses',
    { name: '*.example.com' },
    /Cannot invite \*\.example\.com for one use: a pattern is for several hosts/,
  ],
  ['no uses', { uses: 0 }, /Cannot invite for 0 uses: 1 to 10000 are possible/],
  ['too many uses', { uses: 10_001 }, /Cannot invite for 10001 uses/],
  ['half a use', { uses: 1.5 }, /Cannot invite for 1\.5 uses/],
  ['a moment', { ttlMs: 9999 }, /Cannot invite for 9999ms: 10s to 30d are possible/],
  ['ever', { ttlMs: Number.POSITIVE_INFINITY }, /Cannot invite for Infinityms: 10s/],
  ['more than 30 days', { ttlMs: 30 * DAY_MS + 1 }, /10s to 30d are possible/],
  ['many hosts with the same further name', { name: '*.example.com', uses: 2, san: ['a.example.com'] }, /the same further names/],
  ['a pattern as further name', { san: ['*.example.com'] }, /neither a host name nor an address/],
  ['a role of its own', { role: 'authority' }, /role "authority": the roles are agent and relay/],
  ['a control character', { name: 'web01\u001b[2J' }, /it is no host name/],
  ['a name of 254 characters', { name: `${'a.'.repeat(126)}aa` }, /it is no host name .*at most 253/],
  ['to speak for a part of a name', { speaksFor: ['web*.example.com'] }, /Cannot let a host speak for "web\*\.example\.com"/],
  ['a server without a port', { server: 'ca.example.com' }, /Cannot invite with the server "ca\.example\.com"/],
  ['no server', { server: undefined }, /nobody has said where the authority is reached/],
]

for (const [what, order, sentence] of INVITATIONS) {
  test(`nobody is invited for ${what}`, async (t) => {
    const made = await MadeAuthority.make(t)
    const error = await t.throwsAsync(made.invite(order), { instanceOf: LoghopError, message: sentence })
    t.true(error.remedy.length > 0)
    t.notRegex(error.message, /[\u0000-\u001f]/)
    t.is(made.authority.state.invitations.size, 0)
    t.is(made.authority.journalLines, 1)
  })
}

test('an invitation of a relay binds what it speaks for, and its names; of its own it may leave out any', async (t) => {
  const made = await MadeAuthority.make(t)
  const order = { name: 'relay.example.com', role: 'relay', speaksFor: ['*.site1.example.com'], san: ['r2.example.com'] }
  const { secret } = await made.invite(order)
  const ask = async (...names: x509.JsonGeneralNames) =>
    made.authority.enrol({
      name: order.name,
      secret,
      csr: await makeRequest({ extensions: [new x509.SubjectAlternativeNameExtension(names)] }),
      from: FROM,
    })
  const wrong: [x509.JsonGeneralNames[number], RegExp][] = [
    [{ type: 'url', value: 'urn:loghop:speaks-for:*' }, /the URI "urn:loghop:speaks-for:\*"/],
    [{ type: 'url', value: 'urn:loghop:speaks-for:*.example.com' }, /the URI "urn:loghop:speaks-for:\*\.example\.com"/],
    [{ type: 'url', value: 'urn:loghop:role:agent' }, /the URI "urn:loghop:role:agent"/],
    [{ type: 'dns', value: 'r3.example.com' }, /the name "r3\.example\.com"/],
    [{ type: 'dns', value: '*.example.com' }, /the name "\*\.example\.com"/],
  ]
  for (const [name, sentence] of wrong) {
    const answer = await ask(name)
    t.like(answer, { kind: 'refused', status: 403 })
    t.regex(answer.kind === 'refused' ? answer.sentence : '', sentence)
    t.is(made.issued, 0)
  }
  const answer = await ask({ type: 'url', value: 'urn:loghop:speaks-for:*.site1.example.com' }, { type: 'dns', value: 'r2.example.com' })
  t.is(answer.kind, 'issued')
})

test('no key of another kind, no control character and no over-long name, neither at the first time nor at renewal', async (t) => {
  const made = await MadeAuthority.make(t)
  const { secret } = await made.invite({ name: 'web02.example.com' })
  const { certificate } = await made.join()
  const rsa = { name: 'RSASSA-PKCS1-v1_5', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }
  const named = (value: string) => ({ extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value }])] })
  const twice = named('web02.example.com').extensions[0]!
  const cases: [Buffer, RegExp][] = [
    [
      await makeRequest({ algorithm: { name: 'Ed25519' } }),
      /its key is of the kind ed25519, EC \(P-256, P-384\) and RSA are accepted|it is signed with/,
    ],
    [await makeRequest({ algorithm: rsa }), /its RSA key has 1024 bits, 2048 is the least/],
    [await makeRequest({ algorithm: { ...P256, namedCurve: 'P-521' } }), /on the curve secp521r1/],
    [await makeRequest(named('web01\u0000.example.com')), /a subject alternative name in it has control characters/],
    [await makeRequest(named('x'.repeat(254))), /a subject alternative name in it has 254 characters, 253 is the limit/],
    [await makeRequest({ extensions: [twice, twice] }), /it holds the same extension twice/],
  ]
  for (const [csr, sentence] of cases) {
    for (const answer of [
      await made.authority.enrol({ name: 'web02.example.com', secret, csr, from: FROM }),
      await made.authority.renew({ certificate, csr, from: FROM }),
    ]) {
      if (answer.kind === 'issued') return t.fail(`A certificate was issued: ${new X509Certificate(answer.chain[0]!).subject}`)
      t.is(answer.status, 400)
      t.regex(answer.sentence, sentence)
      t.regex(answer.remedy, /^Make a new key/)
      t.notRegex(answer.sentence, /[\u0000-\u001f]/)
      t.is(made.issued, 1)
    }
  }
  t.is(made.authority.state.certificates.get(new X509Certificate(certificate).serialNumber)!.name, HOST)
})
