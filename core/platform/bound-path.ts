import { libc } from './libc.ts'

const IS_LINUX = process.platform === 'linux'
const SOL_SOCKET = IS_LINUX ? 1 : 0xffff
const SO_TYPE = IS_LINUX ? 3 : 0x1008
const AF_UNIX = 1
const SOCK_DGRAM = 2
const ADDRESS_BYTES = 128

function fourBytes(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** The path that a local datagram socket is bound to; undefined for whatever else the descriptor is. */
export function boundPath(fd: number): string | undefined {
  const type = Buffer.alloc(4)
  if (libc.getsockopt(fd, SOL_SOCKET, SO_TYPE, type, fourBytes(4)) !== 0 || type.readInt32LE() !== SOCK_DGRAM) return undefined
  const address = Buffer.alloc(ADDRESS_BYTES)
  const length = fourBytes(ADDRESS_BYTES)
  if (libc.getsockname(fd, address, length) !== 0) return undefined
  const family = IS_LINUX ? address.readUInt16LE(0) : address[1]
  if (family !== AF_UNIX) return undefined
  const name = address.subarray(2, Math.min(ADDRESS_BYTES, length.readUInt32LE()))
  const end = name.indexOf(0)
  const path = name.toString('utf8', 0, end === -1 ? name.length : end)
  return path === '' ? undefined : path
}
