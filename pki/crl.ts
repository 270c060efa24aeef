// Writes and reads revocation lists, version 2.

import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { readRevocationList as readList } from '../core/identity/revocation-list.ts'
import type { RevocationReason } from './acts.ts'
import { ALGORITHM, type Signer, signingKey } from './x509.ts'

export interface RevocationEntry {
  readonly serial: string
  readonly at: Date
  readonly reason: RevocationReason
}

export interface RevocationList {
  /** CRL number: seconds since 1970 fit for a while. */
  readonly number: number
  readonly thisUpdate: Date
  readonly nextUpdate: Date
}

const CRL_NUMBER = '2.5.29.20'

/** INTEGER, DER. */
function integer(value: number): Buffer {
  const hex = value.toString(16)
  const digits = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  const octets = digits[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits
  return Buffer.concat([Buffer.from([0x02, octets.length]), octets])
}

// GeneralizedTime in a list has no fractions: RFC 5280 section 5.3.2.
function wholeSecond(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000)
}

/** @returns DER */
export async function signRevocationList(
  list: RevocationList & { readonly entries: readonly RevocationEntry[] },
  signer: Signer,
): Promise<Buffer> {
  const issuer = new x509.X509Certificate(signer.certificatePem)
  const crl = await x509.X509CrlGenerator.create({
    issuer: issuer.subjectName,
    thisUpdate: list.thisUpdate,
    nextUpdate: list.nextUpdate,
    entries: list.entries.map(({ serial, at, reason }) => ({
      serialNumber: serial.toLowerCase(),
      revocationDate: at,
      // RFC 5280 section 5.3.1: unspecified is said by saying nothing. But the package writes an entry without any extension as one with an empty list of
      // them, which the grammar does not have; so such an entry says since when the certificate is invalid, which the revocation itself is.
      ...(reason === 'unspecified' ? { invalidity: wholeSecond(at) } : { reason: x509.X509CrlReason[reason] }),
    })),
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      new x509.Extension(CRL_NUMBER, false, integer(list.number)),
    ],
    signingAlgorithm: ALGORITHM,
    signingKey: await signingKey(signer.keyPem),
  })
  return Buffer.from(crl.rawData)
}

/** Reads a list of ours, with the reader of the hosts: that of the package takes seconds for some thousand entries. @throws when it cannot be decoded */
export function readRevocationList(der: Buffer): RevocationList & { readonly serials: ReadonlySet<string> } {
  const { number, thisUpdateMs, nextUpdateMs, serials } = readList(der)
  return {
    number: Number(number),
    thisUpdate: new Date(thisUpdateMs),
    nextUpdate: new Date(nextUpdateMs ?? thisUpdateMs),
    serials: new Set(serials.keys()),
  }
}
