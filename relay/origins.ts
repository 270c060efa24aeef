// Under which name a message of a foreign sender is filed:
//
//   it claims                                       it is filed under
//   nothing, or a name that the sender has proven   the sender's own name
//   a name that the sender may speak for            that name, within the limits on names; over them the sender's own
//   anything else                                   on_mismatch: the sender's own name, _unverified/ and that name, or nothing at all

import { matchesName, normaliseName, UNVERIFIED } from '../core/transport/names.ts'
import type { OnMismatch } from './listener-options.ts'
import type { NameBudget } from './name-budget.ts'

/** A batch has room for 253 bytes of origin. */
const ORIGIN_LIMIT = 253
const CACHE_LIMIT = 2048
/** A power of two. */
const SEEN_PLACES = 512

export interface Rights {
  /** Proven by the certificate, or the listener's own name. */
  readonly name: string
  /** Other names that the certificate proves. */
  readonly aliases: readonly string[]
  readonly speaksFor: readonly string[]
  readonly onMismatch: OnMismatch
  readonly namesLimit: number
}

export type Filed = {
  readonly kind: 'own' | 'other' | 'renamed' | 'limited'
  readonly origin: string
}

export type Origin = Filed | { readonly kind: 'refused' }

export class Origins {
  #rights: Rights
  readonly #budget: NameBudget
  #own: Filed
  /** What has been decided for good, by the name as it was written. */
  readonly #decided = new Map<string, Origin>()
  /** The same by its bytes, for names that come again and again: no string is made for each message. */
  #seen: Array<{ readonly name: Uint8Array; readonly origin: Origin } | undefined> = []

  constructor(rights: Rights, budget: NameBudget) {
    this.#rights = rights
    this.#budget = budget
    this.#own = { kind: 'own', origin: rights.name }
  }

  get rights(): Rights {
    return this.#rights
  }

  /** What the sender may say from the next message on. */
  use(rights: Rights): void {
    this.#rights = rights
    this.#own = { kind: 'own', origin: rights.name }
    this.#decided.clear()
    this.#seen = []
  }

  /** @param claimed HOSTNAME of the message, `-` for none */
  of(claimed: string): Origin {
    const decided = this.#decided.get(claimed) ?? this.#decide(claimed)
    // A name that came too fast may be taken in the next minute.
    if (decided.kind === 'limited') return decided
    if (this.#decided.size >= CACHE_LIMIT) this.#decided.clear()
    this.#decided.set(claimed, decided)
    return decided
  }

  /** The same for a HOSTNAME that stands at `bytes[start..end]`. */
  ofBytes(bytes: Buffer, start: number, end: number): Origin {
    let hash = end - start
    for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0
    const place = hash & (SEEN_PLACES - 1)
    const seen = this.#seen[place]
    if (seen !== undefined && isSame(seen.name, bytes, start, end)) return seen.origin
    const origin = this.of(bytes.toString('latin1', start, end))
    if (origin.kind !== 'limited' && end - start <= ORIGIN_LIMIT)
      this.#seen[place] = { name: Uint8Array.from(bytes.subarray(start, end)), origin }
    return origin
  }

  #decide(claimed: string): Origin {
    const { name, aliases, speaksFor, onMismatch, namesLimit } = this.rights
    // A dot at the end is the root of all names, and no part of the host's.
    const wanted = normaliseName(claimed.endsWith('.') ? claimed.slice(0, -1) : claimed)
    const isOwn = wanted === name || aliases.includes(wanted ?? '') || (wanted !== undefined && name.startsWith(`${wanted}.`))
    if (claimed === '' || claimed === '-' || isOwn) return this.#own
    if (wanted !== undefined && speaksFor.some((pattern) => matchesName(pattern, wanted))) {
      const isTaken = this.#budget.take(name, wanted, namesLimit) === 'taken'
      return isTaken ? { kind: 'other', origin: wanted } : { kind: 'limited', origin: name }
    }
    if (onMismatch === 'refuse') return { kind: 'refused' }
    const apart = `${UNVERIFIED}${name}`
    return { kind: 'renamed', origin: onMismatch === 'quarantine' && apart.length <= ORIGIN_LIMIT ? apart : name }
  }
}

function isSame(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let at = 0; at < name.length; at++) if (name[at] !== bytes[start + at]) return false
  return true
}
