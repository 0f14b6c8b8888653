/** The waits of the tests are those of the loader's, whose folder stands alone. */
export { elapse, quietFor, until } from '../../packages/bpf-loader-ts/test/wait.js';
