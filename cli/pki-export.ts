import type { Command } from 'commander'
import { newPassphrase, PASSPHRASE_VARIABLE } from './passphrase.ts'

interface ExportOptions {
  p12: string
  passphraseFile?: string
}

async function exportIdentity(identity: string, options: ExportOptions): Promise<void> {
  const { exportPkcs12 } = await import('../pki/export.ts')
  const passphrase = await newPassphrase(options.passphraseFile)
  const { name, certificates, roots } = exportPkcs12({ identity, file: options.p12, passphrase })
  process.stdout.write(
    `${[
      `Wrote ${options.p12}: the key of ${name}, and ${certificates} certificates, ${roots} of them trusted roots`,
      '  It holds the private key: whoever has the file and the passphrase is this host.',
      `  To look into it:  openssl pkcs12 -in ${options.p12} -info -nokeys`,
      `                    keytool -list -v -storetype PKCS12 -keystore ${options.p12}`,
    ].join('\n')}\n`,
  )
}

const EXAMPLE = `
Example:
  $ loghop pki export web01.identity --p12 web01.p12 --passphrase-file web01.passphrase

PKCS#12 with AES-256 and SHA-256 throughout, as OpenSSL 3 and Java 17 read it (old readers do not).
The passphrase comes from the file's first line, else from ${PASSPHRASE_VARIABLE}, else it is asked for. It never overwrites anything.`

/** Adds `pki export`. Its failures are LoghopErrors, for the caller to print. */
export function registerPkiExport(pki: Command): void {
  pki
    .command('export')
    .description('an identity as one PKCS#12 file, for other programs')
    .argument('<dir>', 'identity directory, of this authority or any other')
    .requiredOption('--p12 <file>', 'file to write, mode 0600; must not exist yet')
    .option('--passphrase-file <file>', 'file whose first line is the passphrase of the new file')
    .addHelpText('after', EXAMPLE)
    .action(exportIdentity)
}
