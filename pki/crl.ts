// Writes and reads revocation lists, version 2.

import 'reflect-metadata'
import { X509Certificate as NodeCertificate, sign } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { readRevocationList as readList, subjectOf } from '../core/identity/revocation-list.ts'
import type { RevocationReason } from './acts.ts'
import { bitString, context, contextValue, enumerated, integer, objectIdentifier, octetString, sequence, time } from './der-writer.ts'
import type { Signer } from './x509.ts'

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

const VERSION_2 = '01'
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
const AUTHORITY_KEY_IDENTIFIER = '2.5.29.35'
const CRL_NUMBER = '2.5.29.20'
const REASON_CODE = '2.5.29.21'

function extension(oid: string, value: Buffer): Buffer {
  return sequence(objectIdentifier(oid), octetString(value))
}

/** RFC 5280 section 5.3.1: unspecified is said by saying nothing. */
function entryOf({ serial, at, reason }: RevocationEntry): Buffer {
  const told = reason === 'unspecified' ? [] : [sequence(extension(REASON_CODE, enumerated(x509.X509CrlReason[reason])))]
  return sequence(integer(serial), time(at), ...told)
}

/** What the issuer's certificate calls its key: RFC 5280 section 4.2.1.1. */
function keyIdentifierOf(certificatePem: string): Buffer {
  const own = new x509.X509Certificate(certificatePem).getExtension(x509.SubjectKeyIdentifierExtension)
  return Buffer.from(own!.keyId, 'hex')
}

/**
 * The list, signed with ECDSA and SHA-256; RFC 5280 section 5.1.
 * @returns DER
 */
export function signRevocationList(list: RevocationList & { readonly entries: readonly RevocationEntry[] }, signer: Signer): Buffer {
  const algorithm = sequence(objectIdentifier(ECDSA_WITH_SHA256))
  const extensions = [
    extension(AUTHORITY_KEY_IDENTIFIER, sequence(contextValue(0, keyIdentifierOf(signer.certificatePem)))),
    extension(CRL_NUMBER, integer(list.number.toString(16))),
  ]
  const body = sequence(
    integer(VERSION_2),
    algorithm,
    subjectOf(new NodeCertificate(signer.certificatePem)),
    time(list.thisUpdate),
    time(list.nextUpdate),
    // No entries, no list of them: section 5.1.2.6.
    ...(list.entries.length === 0 ? [] : [sequence(...list.entries.map(entryOf))]),
    context(0, sequence(...extensions)),
  )
  return sequence(body, algorithm, bitString(sign('sha256', body, signer.keyPem)))
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
