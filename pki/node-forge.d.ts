// node-forge brings no types; these are of the little that is used.

declare module 'node-forge' {
  interface Asn1 {
    readonly tagClass: number
  }

  const forge: {
    readonly asn1: {
      readonly Class: { readonly UNIVERSAL: number; readonly CONTEXT_SPECIFIC: number }
      readonly Type: {
        readonly SEQUENCE: number
        readonly SET: number
        readonly INTEGER: number
        readonly OID: number
        readonly NULL: number
        readonly OCTETSTRING: number
        readonly BMPSTRING: number
      }
      /** @param value parts when constructed, else the octets as a binary string; of a BMPSTRING the text */
      create(tagClass: number, type: number, constructed: boolean, value: string | readonly Asn1[]): Asn1
      /** Octets of the value of an OID, as a binary string buffer. */
      oidToDer(oid: string): { getBytes(): string }
      /** Octets of the value of an INTEGER of at most 32 bits. */
      integerToDer(value: number): { getBytes(): string }
      toDer(value: Asn1): { getBytes(): string }
    }
  }
  // biome-ignore lint/style/noDefaultExport: it is a CommonJS module
  export default forge
}
