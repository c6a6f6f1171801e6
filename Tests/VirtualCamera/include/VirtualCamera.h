// Loaded before a program (LD_PRELOAD), makes /dev/video99 a camera of 320 x 240 YUYV pictures, which come from the pipe or file
// named by VIRTUAL_CAMERA as fast as somebody writes them there. Without a writer it can be opened, and gives nothing.
