import { closeDescriptor, connectUnix, SOCK_STREAM, unreadByPeer } from '../platform/descriptors.ts'
import type { LineMaker } from './line-maker.ts'
import { LineOutlet } from './line-outlet.ts'

/** Lines into a local stream socket. */
export class UnixStreamOutlet extends LineOutlet {
  constructor(path: string, format: LineMaker) {
    const end = {
      kind: 'unix-stream',
      name: path,
      guarantee: 'at least once: what the receiver had not read when it went comes again',
      retryLimitMs: 5000,
      open: () => ({ fd: connectUnix(path, SOCK_STREAM), unread: unreadByPeer, settleMs: 0 }),
      close: closeDescriptor,
    }
    super(end, format)
  }
}
