import type { Socket } from 'node:net'
import { libc } from './libc.ts'

export interface PeerCredentials {
  /** 0 when the system does not say. */
  readonly pid: number
  /** -1 when the system does not say. */
  readonly uid: number
}

const UNKNOWN: PeerCredentials = { pid: 0, uid: -1 }
const SOL_SOCKET = 1
const SO_PEERCRED = 17

/** Who has connected to a unix stream socket, as the kernel says (Linux; other systems say nothing here). */
export function peerCredentials(socket: Socket): PeerCredentials {
  const fd = (socket as Socket & { _handle?: { fd?: number } })._handle?.fd
  if (process.platform !== 'linux' || fd === undefined || fd < 0) return UNKNOWN
  const value = Buffer.alloc(12)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(12)
  if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, length) !== 0) return UNKNOWN
  return { pid: value.readInt32LE(0), uid: value.readUInt32LE(4) }
}
