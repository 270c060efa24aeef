import { z } from 'zod'
import type { Address } from './address.ts'
import { addressOption, optionalOption, pathOption } from './option-kinds.ts'
import { optionNotes } from './option-notes.ts'
import { durationOption, formatSize, sizeOption } from './quantities.ts'

// Four segments: one being written, one being read, and room to free the others.
const SPOOL_MIN_BYTES = 64 << 20
const SPOOL_MAX_BYTES = 2 ** 46

/** `spool` of either daemon. @param fallback default size limit, bytes */
export function spoolOptions(fallback: number) {
  return z
    .strictObject({
      directory: pathOption('Directory of the spool, used by this program alone'),
      limit: sizeOption({ sense: 'Disk space that the spool may take', min: SPOOL_MIN_BYTES, max: SPOOL_MAX_BYTES, fallback }),
      compress: z
        .enum(['none', 'zstd'])
        .default('none')
        .describe('Compression of batches on disk and on the wire: none or zstd; default none'),
    })
    .describe(
      `Where messages wait, on disk: a mapping with directory, optionally limit (default ${formatSize(fallback)}) and compress; required`,
    )
}

/** `log` of either daemon: what it says about itself. */
export const logOptions = z
  .strictObject({
    level: z
      .enum(['debug', 'info', 'warn', 'error'])
      .default('info')
      .describe('Least severe of what is logged: debug, info, warn or error; default info'),
    format: z.enum(['text', 'json']).default('text').describe('Form of a line: text or json; default text'),
  })
  .prefault({})
  .describe("The program's own log, on stderr: a mapping with optionally level and format; default info and text")

/** `stop_timeout` of either daemon. */
export const stopTimeoutOption = durationOption({
  sense: 'How long a stopping program waits for what is in flight before it ends',
  min: 100,
  max: 600_000,
  fallback: 10_000,
})

/** `identity` of either daemon. */
export const identityOption = pathOption('Identity directory with key.pem, cert.pem, ca.pem and, where there is one, crl.pem')

/** `authority` of either daemon. */
export const authorityOption = optionalOption(
  addressOption(
    'Authority that renews the identity and has the revocation lists; default the one in the identity directory',
    'ca.example.com:8443',
  ),
)

/** `renew` of either daemon. */
export const renewOption = z
  .boolean()
  .default(true)
  .describe('Whether the certificate is renewed by itself where there is an authority: true or false; default true')

/** `revocation_interval` of either daemon. @param fallback ms */
export function revocationIntervalOption(fallback: number) {
  return durationOption({ sense: 'How often revocation lists are fetched from the authority', min: 1000, max: 86_400_000, fallback })
}

/** A program to deliver to, with the pin of its certificate or key if there is one (normalised, see core/transport/pins.ts). */
export interface ListedRelay {
  readonly address: Address
  readonly pin?: string | undefined
}

/** One of a list of relays, as `host:port` or with a pin. @param pin the option for it; what a pin is, is not known here */
export function relayOption(pin: z.ZodType<string>): z.ZodType<ListedRelay> {
  const address = addressOption('Address of a relay', 'relay.example.com:6514')
  return z
    .union([address.transform((value) => ({ address: value })), z.strictObject({ address, pin: optionalOption(pin) })])
    .register(optionNotes, { allowed: 'an address such as relay.example.com:6514, or a mapping with address, optionally pin' })
}

/** `fail_back` of whatever delivers to a list of relays. */
export const failBackOption = durationOption({
  sense: 'How often to look whether the first relay of the list is up again, while a later one is in use; a random part is added',
  min: 1000,
  max: 86_400_000,
  fallback: 60_000,
})

/** Beside a list of relays. */
export const balanceOption = z
  .boolean()
  .default(false)
  .describe('Whether each new connection starts at a relay picked at random, instead of the first: true or false; default false')

/** A list of at least one item. @param item the item in words, such as `source` */
export function listOption<Item extends z.ZodType>(sense: string, item: string, schema: Item): z.ZodArray<Item> {
  return z
    .array(schema)
    .min(1)
    .register(optionNotes, { allowed: `a list of at least one ${item}` })
    .describe(`${sense}: a list of at least one ${item}; required`)
}
