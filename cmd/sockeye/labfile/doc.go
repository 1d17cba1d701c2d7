// Package labfile reads the file that describes a lab: hosts on links with faults, what runs on
// them, and when what goes wrong. The file is YAML. What is wrong in it is told with line and column,
// all of it at once; [Schema] is the JSON Schema that editors check it by.
package labfile
