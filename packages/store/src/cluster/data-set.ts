/** Whether Redis still holds the data that this node knows. */
export type DataSet = {
  /**
   * `id`: that of the data set, as a beat read it, '' for none. True: the data was deleted since the last call, and
   * its layout is written again. Throws StartError when another node wrote a layout that this one cannot use.
   */
  isReplaced(id: string): Promise<boolean>;
};

/** `prepare` writes what a new data set needs and returns its id, or the id that a faster node wrote. */
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
