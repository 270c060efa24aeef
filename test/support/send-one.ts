import { sendDatagram } from '../../core/platform/send-datagram.ts'
import type { Chain } from './chain.ts'

/** One message to the agent, as logger(1) sends it. */
export function sendOne(chain: Chain, text: string): void {
  sendDatagram(chain.socket, `<13>test: ${text}`)
}
