package nested

// TODO: not of this module
