/** What the app reads of a table: Arrow's, as a server sends it, or a packed one, as an exported file of many rows holds it. */
export interface ColumnLike {
  readonly length: number;
  readonly type: { readonly typeId: number };
  readonly data: readonly BatchLike[];
  at(row: number): unknown;
  /** Where the column holds few values: the place of each row's among them, counted from 1; 0 is null. */
  readonly among?: { readonly codes: ArrayLike<number>; readonly values: readonly (string | boolean)[] };
}

export interface BatchLike {
  readonly length: number;
  readonly nullCount: number;
  readonly values?: unknown;
  readonly offsets?: unknown;
  readonly children?: readonly BatchLike[];
  at(row: number): unknown;
}

export interface TableLike {
  readonly numRows: number;
  readonly names: readonly string[];
  getChild(name: string): ColumnLike | null;
}
