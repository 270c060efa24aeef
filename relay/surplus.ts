import type { ListenerOptions } from './listener-options.ts'

/** A connection, as far as the limits of its listener count it. */
export interface Counted {
  /** Of its listener. */
  readonly key: string
  readonly limits: ListenerOptions['limits']
  readonly connectionsLimit: number
  /** An IP address, or `unix`, with `#` and the number of its user where that is known. */
  readonly address: string
  /** Of its certificate, undefined where there is none. */
  readonly identity: string | undefined
}

export interface Surplus<Connection> {
  readonly connection: Connection
  readonly check: string
  readonly why: string
}

/** Those of the connections, oldest first, that came when a limit was reached already by what it is now. */
export function surplusOf<Connection extends Counted>(connections: Iterable<Connection>): Surplus<Connection>[] {
  const counts = new Map<string, number>()
  const surplus: Surplus<Connection>[] = []
  for (const connection of connections) {
    const bounds = boundsOf(connection)
    const over = bounds.find(({ key, most }) => (counts.get(key) ?? 0) >= most)
    if (over !== undefined) surplus.push({ connection, check: over.check, why: `${over.limit} of its listener is ${over.most}` })
    else for (const { key } of bounds) counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return surplus
}

interface Bound {
  readonly limit: string
  readonly check: string
  /** What is counted together. */
  readonly key: string
  readonly most: number
}

function boundsOf({ key, limits, connectionsLimit, address, identity }: Counted): Bound[] {
  const bounds: Bound[] = [{ limit: 'limits.connections', check: 'connections', key: `connections ${key}`, most: connectionsLimit }]
  const from = `from ${key} ${address}`
  if (address.startsWith('unix#')) bounds.push({ limit: 'limits.per_user', check: 'user-connections', key: from, most: limits.per_user })
  else if (address !== 'unix')
    bounds.push({ limit: 'limits.per_address', check: 'address-connections', key: from, most: limits.per_address })
  if (identity !== undefined)
    bounds.push({ limit: 'limits.per_identity', check: 'identity-connections', key: `as ${identity}`, most: limits.per_identity })
  return bounds
}
