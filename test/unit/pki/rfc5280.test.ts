// What the authority writes, and what "identity new" writes, against RFC 5280; and that the lint finds each fault when one is there.

import 'reflect-metadata'
import { sign, X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'
import * as x509 from '@peculiar/x509'
import test, { type ExecutionContext } from 'ava'
import { makeSelfSignedIdentity } from '../../../core/identity/self-signed.ts'
import { certificatesIn } from '../../../core/transport/pem.ts'
import { Authority } from '../../../pki/authority.ts'
import { initAuthority } from '../../../pki/init.ts'
import { issueIdentity } from '../../../pki/issue.ts'
import { refreshLists, revoke } from '../../../pki/revocation.ts'
import { rotateIssuer, rotateRoot } from '../../../pki/rotation.ts'
import { DerFault, readDer, TAG, writeDer } from '../../support/der.ts'
import { changed, changeValue, extension, extensionIn, leaf, node, type Tree, writeTree } from '../../support/der-tree.ts'
import { lintCertificate } from '../../support/rfc5280.ts'
import { lintRevocationList } from '../../support/rfc5280-list.ts'
import { EXTENSION } from '../../support/rfc5280-parts.ts'
import { makeIssuer, makeLeaf, makeRoot, NOW, temporaryDirectory } from './made.ts'

const root = await makeRoot()
const issuer = await makeIssuer(root)
const host = await makeLeaf(issuer, { addresses: ['192.0.2.7', '2001:db8::7'] })
const issuerDer = new X509Certificate(issuer.certificatePem).raw
const hostDer = host.certificate.raw

function rulesOf(findings: readonly string[]): string[] {
  return [...new Set(findings.map((finding) => finding.slice(0, finding.indexOf(':'))))].sort()
}

function files(t: ExecutionContext): (name: string) => string {
  const parent = temporaryDirectory(t)
  return (name) => path.join(parent, name)
}

function certificatesOf(file: string): Buffer[] {
  return certificatesIn(fs.readFileSync(file, 'utf8'))!.map(({ raw }) => raw)
}

test('root, issuer and hosts of the authority are sound', async (t) => {
  const place = files(t)
  const directory = place('ca')
  await initAuthority({ directory, name: '#1 "Logs", Ltd \\ ä' }, NOW)
  const orders = [
    { name: 'web01.example.com', role: 'agent' },
    { name: 'relay.example.com', role: 'relay', san: ['loghost', '192.0.2.7', '2001:db8::7'], speaksFor: ['*.site1.example.com', '*'] },
    { name: `${'r'.repeat(60)}.example.com`, role: 'relay' },
  ]
  for (const [index, order] of orders.entries()) {
    await issueIdentity({ ...order, directory, out: place(`${index}`) }, NOW)
    const [leafDer, aboveDer] = certificatesOf(place(`${index}/cert.pem`))
    const [rootDer] = certificatesOf(place(`${index}/ca.pem`))
    t.deepEqual(lintCertificate(leafDer!, aboveDer), [])
    t.deepEqual(lintCertificate(aboveDer!, rootDer), [])
    t.deepEqual(lintCertificate(rootDer!, rootDer), [])
  }
})

/** Whose subject is the issuer of a list or certificate, and whose key signed it. */
function soundBelowOne(lint: (issuer: Buffer) => string[], above: readonly Buffer[]): string[] {
  const findings = above.map(lint)
  return findings.find((found) => found.length === 0) ?? findings.flat()
}

test('cross certificates, renewed leaves and revocation lists are sound, before and after both rotations', async (t) => {
  const place = files(t)
  const directory = place('ca')
  await initAuthority({ directory, name: 'Example Logs' }, NOW)
  const authority = Authority.open(directory, { by: 'test', now: () => NOW })
  // So that certificates have a distribution point.
  authority.recordAddress('ca.example.com:8443')
  const orders = ['web01', 'web02', 'web03'].map((name) => ({ name: `${name}.example.com`, role: 'agent', directory, out: place(name) }))
  const check = (): void => {
    const bundle = authority.bundle()
    for (const certificate of bundle)
      t.deepEqual(
        soundBelowOne((above) => lintCertificate(certificate, above), bundle),
        [],
      )
    const lists = authority.revocationLists()
    t.true(lists.length > 0)
    for (const { der } of lists)
      t.deepEqual(
        soundBelowOne((above) => lintRevocationList(der, above), bundle),
        [],
      )
  }
  await issueIdentity(orders[0]!, NOW)
  await authority.act((session) => refreshLists(session))
  check()
  await issueIdentity(orders[1]!, NOW)
  await authority.act((session) => revoke(session, 'web01.example.com', 'keyCompromise'))
  await authority.act((session) => revoke(session, 'web02.example.com', 'unspecified'))
  check()
  await authority.act((session) => rotateIssuer(session, undefined))
  await issueIdentity(orders[2]!, NOW)
  await authority.act((session) => rotateRoot(session, undefined))
  check()

  const keys = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' }
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({ name: 'CN=web03.example.com', keys, signingAlgorithm })
  const [old, oldIssuer] = certificatesOf(place('web03/cert.pem'))
  t.deepEqual(lintCertificate(old!, oldIssuer), [])
  t.true(old!.includes('http'), 'the certificate has no distribution point')
  const renewed = await authority.renew({ certificate: old!, csr: Buffer.from(csr.rawData), from: '192.0.2.1:1' })
  if (renewed.kind !== 'issued') throw new Error(renewed.sentence)
  const [leafDer, newIssuer, cross] = renewed.chain
  t.deepEqual(lintCertificate(leafDer!, newIssuer), [])
  t.deepEqual(lintCertificate(newIssuer!, cross), [])
})

test('self-signed identities are sound', async (t) => {
  const place = files(t)
  const names = ['web01.example.com', 'x', `${'r'.repeat(63)}.example.com`]
  for (const [index, name] of names.entries()) {
    const role = [undefined, 'agent', 'relay'][index]
    await makeSelfSignedIdentity({ name, role, directory: place(`${index}`), days: 3650 }, NOW)
    const [own] = certificatesOf(place(`${index}/cert.pem`))
    t.deepEqual(lintCertificate(own!, own), [])
  }
})

test('a certificate that ends in 2050 or later has the other form of time', async (t) => {
  const late = await makeLeaf(issuer, { notAfter: new Date('2050-01-01T00:00:00Z') })
  t.deepEqual(lintCertificate(late.certificate.raw, issuerDer), [])
  t.true(late.certificate.raw.includes('20500101000000Z'))
})

const F = { version: 0, serial: 1, algorithm: 2, issuer: 3, validity: 4, subject: 5, key: 6, extensions: 7 } as const

function tbsOf(tree: Tree): Tree[] {
  return tree.parts[0]!.parts
}

function extensionsOf(tree: Tree): Tree {
  return tbsOf(tree)[F.extensions]!.parts[0]!
}

function without(list: Tree, oid: string): void {
  list.parts = list.parts.filter((one) => one !== extensionIn(list, oid))
}

/** Critical becomes not critical, and the other way round. */
function turn(one: Tree): void {
  if (one.parts.length === 3) one.parts.splice(1, 1)
  else one.parts.splice(1, 0, leaf(TAG.BOOLEAN, '\xff'))
}

const X = EXTENSION
type Fault = readonly [what: string, rules: readonly string[], change: (tree: Tree) => void]

const HOST_FAULTS: readonly Fault[] = [
  ['version 1', ['version'], (tree) => tbsOf(tree).shift()],
  ['version 1 written out', ['version'], (tree) => (tbsOf(tree)[F.version]!.parts[0]!.content = Buffer.of(0))],
  ['a serial of 21 octets', ['serial'], (tree) => (tbsOf(tree)[F.serial]!.content = Buffer.alloc(21, 1))],
  ['a negative serial', ['serial'], (tree) => (tbsOf(tree)[F.serial]!.content = Buffer.of(0x80))],
  ['serial 0', ['serial'], (tree) => (tbsOf(tree)[F.serial]!.content = Buffer.of(0))],
  ['a padded serial', ['der'], (tree) => (tbsOf(tree)[F.serial]!.content = Buffer.of(0, 1))],
  [
    'another algorithm outside',
    ['signature-algorithm'],
    (tree) => (tree.parts[1]!.parts[0]!.content = Buffer.from('2a8648ce3d040303', 'hex')),
  ],
  [
    'SHA-1',
    ['signature-algorithm'],
    (tree) => {
      for (const algorithm of [tree.parts[1]!, tbsOf(tree)[F.algorithm]!])
        algorithm.parts[0]!.content = Buffer.from('2a8648ce3d0401', 'hex')
    },
  ],
  [
    'NULL beside ECDSA',
    ['signature-algorithm'],
    (tree) => {
      for (const algorithm of [tree.parts[1]!, tbsOf(tree)[F.algorithm]!]) algorithm.parts.push(leaf(TAG.NULL, ''))
    },
  ],
  ['no issuer', ['issuer'], (tree) => (tbsOf(tree)[F.issuer]!.parts = [])],
  [
    'an empty attribute in the subject',
    ['subject'],
    (tree) => (tbsOf(tree)[F.subject]!.parts[0]!.parts[0]!.parts[1]!.content = Buffer.alloc(0)),
  ],
  [
    'a common name of 65 characters',
    ['subject'],
    (tree) => (tbsOf(tree)[F.subject]!.parts[0]!.parts[0]!.parts[1]!.content = Buffer.alloc(65, 'a')),
  ],
  ['2049 as GeneralizedTime', ['validity'], (tree) => (tbsOf(tree)[F.validity]!.parts[1] = leaf(TAG.GENERALIZED_TIME, '20491231235959Z'))],
  ['a time without seconds', ['der'], (tree) => (tbsOf(tree)[F.validity]!.parts[1] = leaf(TAG.UTC_TIME, '4912312359Z'))],
  ['a time with fractions', ['der'], (tree) => (tbsOf(tree)[F.validity]!.parts[1] = leaf(TAG.GENERALIZED_TIME, '20501231235959.5Z'))],
  ['the 31st of June', ['der'], (tree) => (tbsOf(tree)[F.validity]!.parts[1] = leaf(TAG.UTC_TIME, '490631235959Z'))],
  ['an end before the beginning', ['validity'], (tree) => tbsOf(tree)[F.validity]!.parts.reverse()],
  ['an empty subject beside names that are not critical', ['subject-alternative-name'], (tree) => (tbsOf(tree)[F.subject]!.parts = [])],
  ['a unique identifier', ['structure'], (tree) => tbsOf(tree).splice(F.extensions, 0, leaf(0x81, '\0\x01'))],
  ['no parameters of the key', ['public-key'], (tree) => tbsOf(tree)[F.key]!.parts[0]!.parts.pop()],
  [
    'critical FALSE written out',
    ['extensions'],
    (tree) => extensionIn(extensionsOf(tree), X.extKeyUsage).parts.splice(1, 0, leaf(TAG.BOOLEAN, '\0')),
  ],
  ['TRUE as 01', ['der'], (tree) => (extensionIn(extensionsOf(tree), X.keyUsage).parts[1]!.content = Buffer.of(1))],
  ['an extension twice', ['extensions'], (tree) => extensionsOf(tree).parts.push(extensionIn(extensionsOf(tree), X.extKeyUsage))],
  [
    'an unknown critical extension',
    ['extensions'],
    (tree) => extensionsOf(tree).parts.push(extension('2b0601040182370a', true, leaf(TAG.NULL, ''))),
  ],
  [
    'garbage in an extension',
    ['der', 'extended-key-usage'],
    (tree) => (extensionIn(extensionsOf(tree), X.extKeyUsage).parts[1]!.content = Buffer.of(0x30, 0x80)),
  ],
  ['no basic constraints', ['basic-constraints'], (tree) => without(extensionsOf(tree), X.basicConstraints)],
  [
    'cA FALSE written out',
    ['basic-constraints'],
    (tree) => changeValue(extensionIn(extensionsOf(tree), X.basicConstraints), (value) => value.parts.push(leaf(TAG.BOOLEAN, '\0'))),
  ],
  [
    'a path length without cA',
    ['basic-constraints'],
    (tree) => changeValue(extensionIn(extensionsOf(tree), X.basicConstraints), (value) => value.parts.push(leaf(TAG.INTEGER, '\0'))),
  ],
  ['no key usage', ['key-usage'], (tree) => without(extensionsOf(tree), X.keyUsage)],
  ['key usage that is not critical', ['key-usage'], (tree) => turn(extensionIn(extensionsOf(tree), X.keyUsage))],
  [
    'a host that may sign certificates',
    ['key-usage'],
    (tree) => changeValue(extensionIn(extensionsOf(tree), X.keyUsage), (value) => (value.content = Buffer.of(2, 0x84))),
  ],
  [
    'zeros at the end of the key usage',
    ['key-usage'],
    (tree) => changeValue(extensionIn(extensionsOf(tree), X.keyUsage), (value) => (value.content = Buffer.of(0, 0x80))),
  ],
  [
    'unused bits that are set',
    ['der', 'key-usage'],
    (tree) => (extensionIn(extensionsOf(tree), X.keyUsage).parts[2]!.content = Buffer.of(3, 2, 7, 0x81)),
  ],
  ['no extended key usage', ['extended-key-usage'], (tree) => without(extensionsOf(tree), X.extKeyUsage)],
  [
    'an extended key usage for something else',
    ['extended-key-usage'],
    (tree) =>
      changeValue(
        extensionIn(extensionsOf(tree), X.extKeyUsage),
        (value) => (value.parts[0]!.content = Buffer.from('2b06010505070303', 'hex')),
      ),
  ],
  ['no subject key identifier', ['subject-key-identifier'], (tree) => without(extensionsOf(tree), X.subjectKeyIdentifier)],
  [
    'a critical subject key identifier',
    ['subject-key-identifier'],
    (tree) => turn(extensionIn(extensionsOf(tree), X.subjectKeyIdentifier)),
  ],
  [
    'the identifier of another key',
    ['subject-key-identifier'],
    (tree) => changeValue(extensionIn(extensionsOf(tree), X.subjectKeyIdentifier), (value) => (value.content = Buffer.alloc(20, 1))),
  ],
  ['no authority key identifier', ['authority-key-identifier'], (tree) => without(extensionsOf(tree), X.authorityKeyIdentifier)],
  [
    'a critical authority key identifier',
    ['authority-key-identifier'],
    (tree) => turn(extensionIn(extensionsOf(tree), X.authorityKeyIdentifier)),
  ],
  ['no names', ['subject-alternative-name'], (tree) => without(extensionsOf(tree), X.subjectAltName)],
  ['critical names beside a subject', ['subject-alternative-name'], (tree) => turn(extensionIn(extensionsOf(tree), X.subjectAltName))],
  [
    'a name with a space',
    ['subject-alternative-name'],
    (tree) => changeValue(extensionIn(extensionsOf(tree), X.subjectAltName), (value) => (value.parts[0]!.content = Buffer.from('a b'))),
  ],
  [
    'an address of five octets',
    ['subject-alternative-name'],
    (tree) => changeValue(extensionIn(extensionsOf(tree), X.subjectAltName), (value) => (value.parts[1]!.content = Buffer.alloc(5, 1))),
  ],
  [
    'a distribution point without an address',
    ['crl-distribution-points'],
    (tree) => extensionsOf(tree).parts.push(extension(X.crlDistributionPoints, false, node(TAG.SEQUENCE))),
  ],
]

test('the lint finds each fault of a host certificate, and nothing else', (t) => {
  t.deepEqual(
    lintCertificate(
      changed(hostDer, () => {}),
      issuerDer,
    ),
    [],
  )
  for (const [what, rules, change] of HOST_FAULTS) t.deepEqual(rulesOf(lintCertificate(changed(hostDer, change))), rules, what)
})

const AUTHORITY_FAULTS: readonly Fault[] = [
  ['basic constraints that are not critical', ['basic-constraints'], (tree) => turn(extensionIn(extensionsOf(tree), X.basicConstraints))],
  [
    'a negative path length',
    ['basic-constraints'],
    (tree) => changeValue(extensionIn(extensionsOf(tree), X.basicConstraints), (value) => (value.parts[1]!.content = Buffer.of(0xff))),
  ],
  [
    'an authority that may not sign lists',
    ['key-usage'],
    (tree) => changeValue(extensionIn(extensionsOf(tree), X.keyUsage), (value) => (value.content = Buffer.of(2, 4))),
  ],
  ['an authority without a subject', ['subject'], (tree) => (tbsOf(tree)[F.subject]!.parts = [])],
  [
    'an authority without subject key identifier',
    ['subject-key-identifier'],
    (tree) => without(extensionsOf(tree), X.subjectKeyIdentifier),
  ],
]

test("the lint finds each fault of an authority's certificate, and nothing else", (t) => {
  for (const [what, rules, change] of AUTHORITY_FAULTS) t.deepEqual(rulesOf(lintCertificate(changed(issuerDer, change))), rules, what)
})

test('the lint compares with the certificate above: names, key identifiers, signature', async (t) => {
  const other = new X509Certificate((await makeIssuer(root, 'Other Issuer')).certificatePem).raw
  t.deepEqual(rulesOf(lintCertificate(hostDer, other)), ['authority-key-identifier', 'issuer', 'signature'])
  const sameName = new X509Certificate((await makeIssuer(root)).certificatePem).raw
  t.deepEqual(rulesOf(lintCertificate(hostDer, sameName)), ['authority-key-identifier', 'signature'])
})

test('the reader of DER takes one encoding alone, and no more than it is told', (t) => {
  t.is(readDer(hostDer, hostDer.length).raw.length, hostDer.length)
  t.throws(() => readDer(hostDer, hostDer.length - 1), { instanceOf: DerFault, message: /the limit is/ })
  for (let length = 0; length < hostDer.length; length++)
    t.throws(() => readDer(hostDer.subarray(0, length), 1 << 16), { instanceOf: DerFault })
  for (const [hex, message] of [
    ['3080020101 0000', /indefinite/],
    ['30810302 0101', /shortest/],
    ['308200030201 01', /shortest/],
    ['0201 01 00', /behind the end/],
    ['1f8101 01 00', /tag of several/],
    ['2403 0401 00', /constructed/],
    ['0500 00', /behind the end/],
    ['0501 00', /NULL/],
    ['0602 8001', /padded/],
    ['0601 81', /cut/],
    ['0301 08', /unused bits/],
    ['0c01 ff', /UTF-8/],
    ['1301 40', /PrintableString/],
    ['3106 020102 020101', /order/],
    ['0a02 0001', /shortest/],
    [Buffer.concat(Array.from({ length: 40 }, (_, index) => Buffer.of(0x30, 2 * (39 - index)))).toString('hex'), /within each other/],
  ] as const)
    t.throws(() => readDer(Buffer.from(hex.replaceAll(' ', ''), 'hex'), 1 << 16), { instanceOf: DerFault, message }, hex)
})

const ECDSA_SHA256 = node(TAG.SEQUENCE, leaf(TAG.OID, Buffer.from('2a8648ce3d040302', 'hex')))

function entry(serial: number, ...extensions: Tree[]): Tree {
  const list = extensions.length > 0 ? [node(TAG.SEQUENCE, ...extensions)] : []
  return node(TAG.SEQUENCE, leaf(TAG.INTEGER, Buffer.of(serial)), leaf(TAG.UTC_TIME, '260101000000Z'), ...list)
}

const L = { version: 0, algorithm: 1, issuer: 2, thisUpdate: 3, nextUpdate: 4, entries: 5, extensions: 6 } as const

/** A sound list of the issuer with two entries, changed before it is signed. */
function makeList(change: (fields: Tree[]) => void = () => {}): Buffer {
  const above = readDer(issuerDer, 1 << 16).parts[0]!.parts
  const keyIdentifier = readDer(
    above[F.extensions]!.parts[0]!.parts.find(({ parts }) => parts[0]!.content.toString('hex') === X.subjectKeyIdentifier)!.parts[1]!
      .content,
    100,
  )
  const fields = [
    leaf(TAG.INTEGER, '\x01'),
    ECDSA_SHA256,
    { tag: -1, content: above[F.subject]!.raw, parts: [] },
    leaf(TAG.UTC_TIME, '261101000000Z'),
    leaf(TAG.UTC_TIME, '261108000000Z'),
    node(TAG.SEQUENCE, entry(5), entry(6, extension(X.reasonCode, false, leaf(TAG.ENUMERATED, '\x01')))),
    node(
      0xa0,
      node(
        TAG.SEQUENCE,
        extension(X.authorityKeyIdentifier, false, node(TAG.SEQUENCE, leaf(0x80, keyIdentifier.content))),
        extension(X.crlNumber, false, leaf(TAG.INTEGER, '\x05')),
      ),
    ),
  ]
  change(fields)
  const tbs = writeDer(TAG.SEQUENCE, ...fields.map((field) => (field.tag === -1 ? field.content : writeTree(field))))
  const signature = sign('sha256', tbs, issuer.keyPem)
  return writeDer(TAG.SEQUENCE, tbs, writeTree(ECDSA_SHA256), writeDer(TAG.BIT_STRING, Buffer.of(0), signature))
}

type ListFault = readonly [what: string, rules: readonly string[], change: (fields: Tree[]) => void]

function listExtensions(fields: Tree[]): Tree {
  return fields[L.extensions]!.parts[0]!
}

const LIST_FAULTS: readonly ListFault[] = [
  ['version 1', ['version'], (fields) => fields.shift()],
  ['no issuer', ['issuer'], (fields) => (fields[L.issuer] = node(TAG.SEQUENCE))],
  ['no next update', ['next-update'], (fields) => fields.splice(L.nextUpdate, 1)],
  ['a next update that is past', ['next-update'], (fields) => (fields[L.nextUpdate] = leaf(TAG.UTC_TIME, '261031000000Z'))],
  ['a time in the wrong form', ['this-update'], (fields) => (fields[L.thisUpdate] = leaf(TAG.GENERALIZED_TIME, '20261101000000Z'))],
  ['an empty list of entries', ['entries'], (fields) => (fields[L.entries]!.parts = [])],
  ['a serial twice', ['entry-serial'], (fields) => fields[L.entries]!.parts.push(entry(5))],
  ['a negative serial', ['entry-serial'], (fields) => fields[L.entries]!.parts.push(entry(0x80))],
  [
    'an entry of which the time has the wrong form',
    ['entry-date'],
    (fields) => (fields[L.entries]!.parts[0]!.parts[1] = leaf(TAG.GENERALIZED_TIME, '20260101000000Z')),
  ],
  ['an empty list of entry extensions', ['entry-extensions'], (fields) => fields[L.entries]!.parts[0]!.parts.push(node(TAG.SEQUENCE))],
  [
    'a critical reason',
    ['entry-extensions'],
    (fields) => fields[L.entries]!.parts.push(entry(7, extension(X.reasonCode, true, leaf(TAG.ENUMERATED, '\x01')))),
  ],
  [
    'a date of invalidity as UTCTime',
    ['entry-invalidity'],
    (fields) => fields[L.entries]!.parts.push(entry(7, extension(X.invalidityDate, false, leaf(TAG.UTC_TIME, '260101000000Z')))),
  ],
  ...[0, 7, 8, 11].map(
    (code) =>
      [
        `reason ${code}`,
        ['entry-reason'],
        (fields: Tree[]) => fields[L.entries]!.parts.push(entry(7, extension(X.reasonCode, false, leaf(TAG.ENUMERATED, Buffer.of(code))))),
      ] as ListFault,
  ),
  ['no authority key identifier', ['authority-key-identifier'], (fields) => without(listExtensions(fields), X.authorityKeyIdentifier)],
  ['no number', ['crl-number'], (fields) => without(listExtensions(fields), X.crlNumber)],
  ['a critical number', ['crl-number', 'extensions'], (fields) => turn(extensionIn(listExtensions(fields), X.crlNumber))],
  [
    'a negative number',
    ['crl-number'],
    (fields) => changeValue(extensionIn(listExtensions(fields), X.crlNumber), (value) => (value.content = Buffer.of(0x80))),
  ],
  ['no extensions', ['authority-key-identifier', 'crl-number', 'extensions'], (fields) => fields.pop()],
]

test('the lint finds each fault of a revocation list, and nothing else', (t) => {
  t.deepEqual(lintRevocationList(makeList(), issuerDer), [])
  t.deepEqual(
    lintRevocationList(
      makeList((fields) => fields.splice(L.entries, 1)),
      issuerDer,
    ),
    [],
  )
  for (const [what, rules, change] of LIST_FAULTS) t.deepEqual(rulesOf(lintRevocationList(makeList(change))), rules, what)
})

test('the lint compares a revocation list with its issuer', (t) => {
  const rootDer = new X509Certificate(root.certificatePem).raw
  t.deepEqual(rulesOf(lintRevocationList(makeList(), rootDer)), ['authority-key-identifier', 'issuer', 'signature'])
})
