/**
 * Where Redis is when it is more than one URL: what is given must fit together, and secrets are read.
 */
export {};
