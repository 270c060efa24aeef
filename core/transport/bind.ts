import * as fs from 'node:fs'
import type { Server } from 'node:net'
import { formatAddress, isLoopback } from '../base/address.ts'
import { LoghopError } from '../base/errors.ts'
import { type Lookup, systemLookup } from './plain-connector.ts'

/** Where a listener listens: an address, a path, or a socket that systemd has opened under that name. */
export type Bind =
  | { readonly kind: 'address'; readonly host: string; readonly port: number }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'activated'; readonly name: string }

/** One to listen on: what is left of a Bind when names are resolved and descriptors found. */
export type Place = Exclude<Bind, { kind: 'activated' }> | { readonly kind: 'descriptor'; readonly fd: number; readonly name: string }

export function formatBind(bind: Bind | Place): string {
  switch (bind.kind) {
    case 'address':
      return formatAddress(bind)
    case 'path':
      return bind.path
    case 'activated':
    case 'descriptor':
      return `systemd:${bind.name}`
    default:
      return bind satisfies never
  }
}

const LOOPBACK_REMEDY =
  'Listen on 127.0.0.1 or [::1], and let senders elsewhere connect to a tls listener, or through stunnel or ssh to this one'

export function notLoopback(where: string, found: string): LoghopError {
  return new LoghopError(
    'NOT_LOOPBACK',
    `Cannot listen on ${where} without TLS: ${found}, and others than this host could reach it`,
    LOOPBACK_REMEDY,
  )
}

/**
 * The places that a Bind stands for.
 * @param activated takes the descriptors of that name
 * @param isLocalOnly everything must be this host itself; `localhost` then stands for all of its addresses, which must be loopback alone
 * @param lookup the system's look-up of names; a test brings its own
 * @throws {LoghopError} no such socket, or one that is not loopback
 */
export async function placesOf(
  bind: Bind,
  activated: (name: string) => readonly number[],
  isLocalOnly: boolean,
  lookup: Lookup = systemLookup,
): Promise<Place[]> {
  if (bind.kind === 'activated') {
    const fds = activated(bind.name)
    if (fds.length > 0) return fds.map((fd) => ({ kind: 'descriptor', fd, name: bind.name }))
    throw new LoghopError(
      'NOT_ACTIVATED',
      `Cannot listen on systemd:${bind.name}: systemd has passed no socket of that name`,
      `Start the socket unit, with FileDescriptorName=${bind.name} in it, or write an address instead`,
    )
  }
  if (bind.kind === 'path' || !isLocalOnly) return [bind]
  if (!isLoopback(bind.host)) throw notLoopback(formatBind(bind), `${bind.host} is not loopback`)
  if (bind.host.toLowerCase() !== 'localhost') return [bind]
  const found = (await lookup(bind.host)).map(({ address }) => address)
  const foreign = found.find((address) => !isLoopback(address))
  if (foreign !== undefined) throw notLoopback(formatBind(bind), `localhost is ${foreign} here, which is not loopback`)
  return [...new Set(found)].map((host) => ({ kind: 'address', host, port: bind.port }))
}

/**
 * Binds a server and listens. Resolves with the text of the place, such as `127.0.0.1:6514` with the port that was bound.
 * @throws the errno of bind or listen
 */
export function listenOn(server: Server, place: Place, unixMode: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const onListening = (): void => {
      server.off('error', reject)
      server.on('error', () => undefined)
      try {
        // The mask has taken away what it must not have; this gives what the mask of the process would keep back.
        if (place.kind === 'path') fs.chmodSync(place.path, unixMode)
      } catch (error) {
        reject(error as Error)
        return
      }
      const address = server.address()
      if (typeof address === 'string') resolve(address)
      else if (address === null) resolve(formatBind(place))
      else resolve(formatAddress({ host: place.kind === 'address' ? place.host : address.address, port: address.port }))
    }
    const backlog = 1024
    if (place.kind === 'address') server.listen({ host: place.host, port: place.port, backlog }, onListening)
    else if (place.kind === 'path') {
      // From its first moment it is open to nobody it is not meant for. Binding happens within the call.
      const mask = process.umask(0o777 & ~unixMode)
      try {
        server.listen({ path: place.path, backlog }, onListening)
      } finally {
        process.umask(mask)
      }
    } else server.listen({ fd: place.fd, backlog }, onListening)
  })
}
