/** `using` needs Symbol.dispose, which early Node 20 lacks; imported for its effect, once. */
if ((Symbol as { dispose?: symbol }).dispose === undefined) {
  Object.defineProperty(Symbol, 'dispose', { value: Symbol.for('nodejs.dispose') });
}
