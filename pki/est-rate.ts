import { isIPv6 } from 'node:net'
import type { Clock } from '../core/base/clock.ts'

/** Tokens that come back with time: `burst` at first, and never more. */
export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

interface Bucket {
  tokens: number
  atMs: number
}

// Ours: an estate behind a few site relays has a few addresses, a scan with many costs 100 bytes for each.
const ADDRESSES_LIMIT = 10_000

/** Whom a limit is for: an IPv4 address, or the /64 that an IPv6 host can choose addresses in. */
export function limitedAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [front = '', back] = address.split('%')[0]!.split('::')
  const groups = front === '' ? [] : front.split(':')
  const missing = back === undefined ? 0 : 8 - groups.length - (back === '' ? 0 : back.split(':').length)
  const all = [...groups, ...Array<string>(Math.max(0, missing)).fill('0'), ...(back ?? '').split(':')]
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group || '0', 16).toString(16))
    .join(':')}::/64`
}

/** A token bucket for each address. Bounded: the address that was quiet longest is forgotten first. */
export class Rates {
  readonly #rate: Rate
  readonly #clock: Clock
  readonly #buckets = new Map<string, Bucket>()

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate
    this.#clock = clock
  }

  get size(): number {
    return this.#buckets.size
  }

  /** Seconds until a token is there, rounded up; 0 when one is there now. Takes none. */
  waitSeconds(address: string): number {
    const bucket = this.#refilled(address)
    return bucket.tokens >= 1 ? 0 : Math.max(1, Math.ceil((1 - bucket.tokens) / this.#rate.perSecond))
  }

  /** Takes a token. @returns false when there is none; then nothing was taken */
  take(address: string): boolean {
    const bucket = this.#refilled(address)
    if (bucket.tokens < 1) return false
    bucket.tokens--
    this.#buckets.delete(address)
    if (this.#buckets.size >= ADDRESSES_LIMIT) this.#buckets.delete(this.#buckets.keys().next().value!)
    this.#buckets.set(address, bucket)
    return true
  }

  #refilled(address: string): Bucket {
    const atMs = this.#clock.monotonicMs()
    const before = this.#buckets.get(address)
    if (before === undefined) return { tokens: this.#rate.burst, atMs }
    const gained = ((atMs - before.atMs) / 1000) * this.#rate.perSecond
    before.tokens = Math.min(this.#rate.burst, before.tokens + gained)
    before.atMs = atMs
    return before
  }
}
