/** Whether Redis still holds the data that this node knows. */
export type DataSet = {
  /**
   * `id`: what a beat read, '' for none. True: the data was deleted since the last call, and the new data set has
   * its layout again. Throws StartError when another node began it with a layout that this one cannot use.
   */
  isReplaced(id: string): Promise<boolean>;
};

/** `prepare` writes what a new data set needs and answers its id, or that of whoever was faster. */
export function makeDataSet(firstId: string, prepare: () => Promise<string>): DataSet {
  let known = firstId;
  return {
    async isReplaced(id) {
      if (id === known) return false;
      known = await prepare();
      return true;
    },
  };
}
