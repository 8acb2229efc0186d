/** The contract's, written here because this page holds no code of the contract; a test holds the two together. */
export const PROTOCOL_VERSION = 2
