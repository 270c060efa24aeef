// The hops in an envelope: the way that a batch has come. FORMAT.md has the bytes.

import { isIP } from 'node:net'
import { ENVELOPE_BYTES, HOP_ADDRESS_LIMIT_BYTES, HOPS_LIMIT } from './constants.ts'

/** Of an envelope whose hops say no addresses, as all did once: byte 15 was zero then. */
export const HOPS_PLAIN = 0
/** Behind the name of each hop comes the address. */
export const HOPS_WITH_ADDRESSES = 1

const NAME_LIMIT_BYTES = 255

export interface Hop {
  /** Id of the node's spool, 32 hex digits. */
  readonly id: string
  readonly name: string
  readonly arrivedUs: number
  /** From where the node got it: the IP address that it saw, or that a proxy of its own told; undefined where that is not known. */
  readonly address?: string | undefined
}

/** Whether it is an address that a hop can have: no scope, which means something on one host alone. */
export function isHopAddress(text: string): boolean {
  return text.length <= HOP_ADDRESS_LIMIT_BYTES && isIP(text) !== 0 && !text.includes('%')
}

export function hopsForm(hops: readonly Hop[]): number {
  return hops.some(({ address }) => address !== undefined) ? HOPS_WITH_ADDRESSES : HOPS_PLAIN
}

/** @throws {RangeError} over 16 hops, a name over 255 bytes, or an address that is none */
export function hopsBytes(hops: readonly Hop[], form: number): number {
  if (hops.length > HOPS_LIMIT) throw new RangeError(`Cannot store a batch with ${hops.length} hops: at most ${HOPS_LIMIT}`)
  let bytes = 0
  for (const { name, address } of hops) {
    if (name.length > NAME_LIMIT_BYTES)
      throw new RangeError(`Cannot store a hop's name of ${name.length} bytes: at most ${NAME_LIMIT_BYTES}`)
    if (address !== undefined && !isHopAddress(address)) throw new RangeError(`Cannot store a hop's address: ${address} is no IP address`)
    bytes += 25 + name.length
    if (form === HOPS_WITH_ADDRESSES) bytes += 1 + (address?.length ?? 0)
  }
  return bytes
}

/** Into the room of `hopsBytes` behind `at`. */
export function writeHops(target: Buffer, at: number, hops: readonly Hop[], form: number): void {
  for (const { id, name, arrivedUs, address = '' } of hops) {
    target.write(id, at, 16, 'hex')
    target.writeBigUInt64LE(BigInt(arrivedUs), at + 16)
    target[at + 24] = name.length
    target.write(name, at + 25, 'latin1')
    at += 25 + name.length
    if (form === HOPS_PLAIN) continue
    target[at] = address.length
    target.write(address, at + 1, 'latin1')
    at += 1 + address.length
  }
}

/** The hops of a record that `readRecord` accepted, oldest first; undefined when they do not fit their envelope, or an address is none. */
export function readHops(
  bytes: Buffer,
  { start, batchStart: end }: { readonly start: number; readonly batchStart: number },
): Hop[] | undefined {
  const hops: Hop[] = []
  const hasAddresses = bytes[start + 15] === HOPS_WITH_ADDRESSES
  let at = start + ENVELOPE_BYTES
  for (let left = bytes[start + 14]!; left > 0; left--) {
    if (at + 25 > end) return undefined
    const nameEnd = at + 25 + bytes[at + 24]!
    const addressStart = nameEnd + (hasAddresses ? 1 : 0)
    if (addressStart > end) return undefined
    const addressEnd = addressStart + (hasAddresses ? bytes[nameEnd]! : 0)
    if (addressEnd > end) return undefined
    const arrivedUs = Number(bytes.readBigUInt64LE(at + 16))
    if (!Number.isSafeInteger(arrivedUs)) return undefined
    const hop = { id: bytes.toString('hex', at, at + 16), arrivedUs, name: bytes.toString('latin1', at + 25, nameEnd) }
    if (addressEnd === addressStart) hops.push(hop)
    else {
      const address = bytes.toString('latin1', addressStart, addressEnd)
      if (!isHopAddress(address)) return undefined
      hops.push({ ...hop, address })
    }
    at = addressEnd
  }
  return at === end ? hops : undefined
}
