// What an authority is asked for, and what its answers have to hold before anything of them is believed.

import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { formatAddress } from '../base/address.ts'
import { LoghopError } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import { certificateFacts, dayOf } from '../transport/certificate.ts'
import { Authorities } from './authorities.ts'
import { spkiDigest } from './bundle.ts'
import { readCertsOnly } from './certs-only.ts'
import { askEst, CERTIFICATES_LIMIT_BYTES, type EstServer, LISTS_LIMIT_BYTES } from './est-client.ts'
import { SKEW_MS } from './revocation.ts'

const EST = '/.well-known/est/'
const ROOTS_SENT_LIMIT = 16
const ASK = 'Ask those who run it to look at its log, and at its version'

function unusable(server: EstServer, found: string, remedy = ASK, cause?: unknown): LoghopError {
  const sentence = `The authority ${formatAddress(server.address)} answered with what cannot be used: ${found}`
  return new LoghopError('EST_ANSWER', sentence, remedy, { cause })
}

function certificatesOf(server: EstServer, body: Buffer): X509Certificate[] {
  const text = body.toString('latin1').replace(/\s+/g, '')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw unusable(server, 'its body is no base64')
  try {
    return readCertsOnly(Buffer.from(text, 'base64'))
  } catch (error) {
    throw unusable(server, (error as Error).message, ASK, error)
  }
}

/** The header by which the authority learns who trusts which roots. */
export function rootsHeader(roots: readonly X509Certificate[]): Record<string, string> {
  return { 'Loghop-Roots': roots.slice(0, ROOTS_SENT_LIMIT).map(spkiDigest).join(',') }
}

/** Everything of `/cacerts`: roots, issuers, cross certificates. @throws {LoghopError} EST_* */
export async function askBundle(server: EstServer, headers: Readonly<Record<string, string>> = {}): Promise<X509Certificate[]> {
  const { body } = await askEst(server, { method: 'GET', path: `${EST}cacerts`, headers, limitBytes: CERTIFICATES_LIMIT_BYTES })
  const certificates = certificatesOf(server, body)
  if (new Authorities(certificates).roots.length === 0) throw unusable(server, 'its bundle holds no root')
  return certificates
}

export interface CertificateOrder {
  /** PEM; the private key never leaves this process. */
  readonly keyPem: string
  readonly name: string
  /** Enrolment by the secret of an invitation; without one a renewal by the client certificate. */
  readonly secret?: string | undefined
  readonly nowMs: number
  readonly headers?: Readonly<Record<string, string>>
}

/** Its own certificate first. @throws {LoghopError} EST_ANSWER: no certificate of our key for our name and time, or one that leads to no root of the bundle */
function sorted(
  server: EstServer,
  answered: readonly X509Certificate[],
  key: KeyObject,
  { name, nowMs }: CertificateOrder,
  bundle: readonly X509Certificate[],
): X509Certificate[] {
  const leaf = answered.find((one) => one.checkPrivateKey(key))
  if (leaf === undefined) throw unusable(server, 'none of its certificates is of our key')
  const { names, validFrom, validTo } = certificateFacts(leaf)
  if (!names.includes(name)) throw unusable(server, `its certificate is for ${printable(names.join(', '))}, not for ${name}`)
  // Its clock or ours is wrong: the certificate that we have may be of more use.
  if (validFrom.getTime() > nowMs + SKEW_MS || validTo.getTime() < nowMs - SKEW_MS) {
    const found = `its certificate is valid from ${dayOf(validFrom)} to ${dayOf(validTo)}, the clock here says ${dayOf(new Date(nowMs))}`
    throw unusable(server, found, 'Set the clock that is wrong, here or there')
  }
  const others = answered.filter((one) => one !== leaf)
  if (!new Authorities(bundle, others).vouchFor(leaf)) throw unusable(server, 'its certificate leads to no root of its bundle')
  return [leaf, ...others]
}

/**
 * Asks for a certificate. @param bundle the authority's certificates, as it has just said
 * @returns leaf first, then issuer and cross certificates
 * @throws {EstRefused} @throws {LoghopError} EST_*
 */
export async function askCertificate(
  server: EstServer,
  order: CertificateOrder,
  bundle: readonly X509Certificate[],
): Promise<X509Certificate[]> {
  const key = createPrivateKey(order.keyPem)
  const { makeRequest } = await import('./csr.ts')
  const request = await makeRequest(key, order.name)
  const isEnrolment = order.secret !== undefined
  const credentials = Buffer.from(`${order.name}:${order.secret}`).toString('base64')
  const { body } = await askEst(server, {
    method: 'POST',
    path: `${EST}${isEnrolment ? 'simpleenroll' : 'simplereenroll'}`,
    headers: {
      'Content-Type': 'application/pkcs10',
      'Content-Transfer-Encoding': 'base64',
      ...order.headers,
      ...(isEnrolment ? { Authorization: `Basic ${credentials}` } : {}),
    },
    body: request.toString('base64'),
    limitBytes: CERTIFICATES_LIMIT_BYTES,
  })
  return sorted(server, certificatesOf(server, body), key, order, bundle)
}

/** The revocation lists, PEM, unchecked; undefined when they are the same as those that `tag` stands for. @throws {LoghopError} EST_* */
export async function askLists(server: EstServer, tag: string | undefined): Promise<{ pem: string; tag: string | undefined } | undefined> {
  const headers = tag === undefined ? {} : { 'If-None-Match': tag }
  const answer = await askEst(server, { method: 'GET', path: '/crl.pem', headers, limitBytes: LISTS_LIMIT_BYTES })
  return answer.status === 304 ? undefined : { pem: answer.body.toString('latin1'), tag: answer.tag }
}
